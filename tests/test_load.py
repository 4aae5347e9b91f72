"""The loader: what it reads, what it refuses and where, and that nothing brings it down."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from strata_git import load
from strata_git.load import Document, Unloadable
from tests.support.environment import unmeasured

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ODD = ["no", "010", "1:30", "2026-01-01", "v1", "a: b", "a #b", "- a", "", "~", "<<", "=", "\n", "a\n\nb", "a\nb\n"]
ODD += ["1e5", ".5", "+1", "0x1f", "1_000", "a\n  b\n", " a\nb", "a\n\n\n", "?", "---", "a\n---\nb", "a\n# b", "True"]
odd = st.sampled_from(ODD) | st.text("ab \n\t#:-'\"", max_size=15)
leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text | odd
values = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text | odd, inner, max_size=4), max_leaves=20
)


def refusal(data: bytes, reader=load.load_yaml, **options) -> tuple[str, int]:
    with pytest.raises(Unloadable) as caught:
        reader(data, **options)
    return caught.value.message, caught.value.line


@settings(deadline=None)
@given(values)
def test_yaml_written_is_read_back(value):
    data = load.dump_yaml(value)
    assert repr(load.load_yaml(data).value) == repr(value)
    assert yaml.safe_load(data) == value, "a stock YAML 1.1 reader agrees"


@settings(deadline=None)
@given(values)
def test_json_written_is_read_back(value):
    assert repr(load.load_json(load.dump_json(value)).value) == repr(value)
    canonical = load.canonical_json(value)
    assert json.loads(canonical, parse_int=float) == json.loads(json.dumps(value), parse_int=float)
    assert load.canonical_json(load.load_json(canonical).value) == canonical


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text("ab1:-?[]{},#&*!|>'\"%@` \n\t\\", max_size=30).map(str.encode))
def test_any_bytes_are_read_or_refused(data):
    for reader in (load.load_yaml, load.load_json):
        refused = None
        try:
            assert isinstance(reader(data), Document)
        except Unloadable as error:
            refused = error
        if refused:
            assert refused.message
            assert "\n" not in refused.message
            assert refused.line <= data.count(b"\n") + 2


@settings(deadline=None)
@given(st.text("ab1:-?[]{},&*!>'\"%@` \n\\", max_size=20))
def test_with_and_without_libyaml_the_value_is_the_same(text):
    fast = read_with(text, libyaml=True)
    slow = read_with(text, libyaml=False)
    assert fast == slow


def read_with(text: str, *, libyaml: bool) -> object:
    with pytest.MonkeyPatch.context() as patch:
        if not libyaml:
            patch.delattr(yaml, "CSafeLoader", raising=False)
        try:
            return repr(load.load_yaml(text.encode()).value)
        except Unloadable:
            return Unloadable


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-0.5e3", -500.0),
        ("1.", 1.0),
        ("1e5", 100000.0),
        ("no", "no"),
        ("On", "On"),
        ("010", "010"),
        ("0o17", "0o17"),
        ("0x1f", "0x1f"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("'true'", "true"),
        ('"12"', "12"),
        ("=", "="),
    ],
)
def test_plain_words_are_typed_as_in_yaml_1_2(written, value):
    assert repr(load.load_yaml(f"key: {written}\n".encode()).value) == repr({"key": value})


def test_every_key_and_item_has_its_line():
    document = load.load_yaml(b"a: 1\n\nb:\n  - x\n  - c: {d: 2}\n# end\n'e f': |\n  text\n")
    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("b",): 3,
        ("b", 0): 4,
        ("b", 1): 5,
        ("b", 1, "c"): 5,
        ("b", 1, "c", "d"): 5,
        ("e f",): 7,
    }


def test_json_has_lines_too():
    document = load.load_json(b'{\n "a": 1,\n "b": [\n  2,\n  {"c": 3}]\n}\n')
    assert document.lines[("b", 1, "c")] == 5
    assert load.load_json(b'{\n\t"a": 1}').lines == {}
    assert load.load_json(b"[" + b"1," * load.LOCATED + b"1]").lines == {}


@pytest.mark.parametrize(
    ("data", "message", "line"),
    [
        (b"a: 1\nb: &x 2\n", "anchors", 2),
        (b"a: [*x]\n", "aliases", 1),
        (b"a: 1\n<<: {b: 2}\n", "merge keys", 2),
        (b"a: !!str 1\n", "tags", 1),
        (b"!thing\na: 1\n", "tags", 1),
        (b"a: !!python/object/apply:os.system [true]\n", "tags", 1),
        (b"a: 1\n---\nb: 2\n", "more than one document", 2),
        (b"%YAML 1.1\n---\na: 1\n", "directives", 1),
        (b"a: 1\nb: 2\na: 3\n", "key 'a' appears twice", 3),
        (b"a:\n  b: 1\n  'b': 2\n", "key 'b' appears twice", 3),
        (b"1: a\n", "a mapping key must be text", 1),
        (b"true: a\n", "a mapping key must be text", 1),
        (b"? [a]\n: b\n", "a mapping key must be text", 1),
        (b"{null: a}\n", "a mapping key must be text", 1),
        (b"a: \xff\n", "not UTF-8", 1),
        ("a: 1\n".encode("utf-16"), "byte order mark", 1),
        (b"\xef\xbb\xbfa: 1\n", "byte order mark", 1),
        (b"a: 1\nb: \0\n", "NUL", 2),
        (b"a: 1\n\tb: 2\n", "a tab", 2),
        (b"a: \x1b[2J\n", "U+001B", 1),
        ("a: x\u2028y\n".encode(), "U+2028", 1),
        (b"a: 1\rb: 2\n", "U+000D", 1),
        (b"a: 1\nb: [\n", "not YAML", 3),
        (b'a: "\\ud800"\n', "", 1),
        (b"a: 1e999\n", "out of range", 1),
        (b"a: " + b"9" * 5000, "5000 characters", 1),
        (b"a:\n b: [[1]]\n", "nested deeper than 3", 2),
    ],
)
@pytest.mark.parametrize("libyaml", [True, False])
def test_refused_yaml_is_located(data, message, line, libyaml, monkeypatch):
    if not libyaml:
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    said, where = refusal(data, depth=3)
    assert message in said
    assert where == line


def test_too_many_values_are_refused(monkeypatch):
    monkeypatch.setattr(load, "NODES", 3)
    assert refusal(b"[1,\n2,\n3]") == ("more than 3 values", 3)


def test_a_file_over_the_limit_is_not_parsed():
    assert refusal(b"a: b\n" * 10, limit=49) == ("50 bytes, more than the 49 allowed", 0)


@pytest.mark.parametrize(
    ("data", "message", "line"),
    [
        (b'{"a": NaN}', "NaN is not a JSON number", 0),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number", 0),
        (b'{"a": 1e999}', "out of range", 0),
        (b'{"a": ' + b"9" * 5000 + b"}", "5000 characters", 0),
        (b'{"a": 1, "a": 2}', "key 'a' appears twice", 0),
        (b'{"a": [[["[[[["]]]}', "nested deeper than 3", 0),
        (b'{"a": 1,\n}', "not JSON", 2),
        (b'{"a": "\\ud800"}', "surrogate", 0),
        (b'"\0"', "NUL", 1),
        (b"", "not JSON", 1),
    ],
)
def test_refused_json(data, message, line):
    said, where = refusal(data, load.load_json, depth=3)
    assert message in said
    assert where == line


def test_brackets_in_strings_do_not_nest():
    assert load.load_json(b'["[[[[[[", "\\"{{{{"]', depth=2).value == ["[[[[[[", '"{{{{']
    assert load.load_json(b'"\\ud83d\\ude00"').value == "\U0001f600"


def test_a_json_text_of_too_many_values_is_refused(monkeypatch):
    monkeypatch.setattr(load, "MARKS", 2)
    assert refusal(b"[1,2,3]", load.load_json)[0] == "more than 2 values"


def test_json_deeper_than_the_interpreter_goes_is_refused():
    assert refusal(b"[" * 200_000, load.load_json, depth=10**9)[0] == "nested too deep"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**1000, "\ud800", {"k" * 2000: 1}])
def test_what_would_not_be_read_is_not_written(value):
    with pytest.raises(ValueError):  # noqa: PT011 - several sorts of it
        load.dump_yaml(value)


def test_a_structure_too_deep_is_not_written():
    value: list[object] = []
    for _ in range(70):
        value = [value]
    with pytest.raises(ValueError, match="nested deeper"):
        load.dump_yaml(value)


@pytest.mark.parametrize("value", [b"bytes", {1: "a"}, {"a": {1, 2}}])
def test_what_yaml_has_no_word_for_is_not_written(value):
    with pytest.raises(TypeError):
        load.dump_yaml(value)


def test_json_is_never_written_with_nan():
    for write in (load.dump_json, load.canonical_json):
        with pytest.raises(ValueError, match="JSON compliant"):
            write({"a": float("nan")})


def test_yaml_is_written_for_people():
    value = {"name": "iris", "version": "v1", "when": "2026-01-01", "text": "One.\n\n  Two.\n", "n": 1e16}
    value |= {"list": [{"a": 1, "b": []}, "x"], "empty": {}, "url": "https://example.org/a?b"}
    assert load.dump_yaml(value).decode() == (
        'name: iris\nversion: v1\nwhen: "2026-01-01"\ntext: |\n  One.\n\n    Two.\nn: 1.0e+16\n'
        'list:\n  - a: 1\n    b: []\n  - x\nempty: {}\nurl: "https://example.org/a?b"\n'
    )


def test_canonical_json_is_one_sequence_of_bytes():
    assert load.canonical_json({"b": [1, 1.5, None], "a": "é"}) == '{"a":"é","b":[1,1.5,null]}'.encode()
    assert load.dump_json({"b": 1, "a": "é"}) == '{\n  "b": 1,\n  "a": "é"\n}\n'.encode()


KILLERS = {
    "flow": "b'a: ' + b'[' * 500_000",
    "sequences": "b'- ' * 500_000",
    "keys": "b'? ' * 500_000",
    "mappings": "b'{a: ' * 200_000",
    "indent": "b''.join(b' ' * i + b'a:\\n' for i in range(1400))",
    "items": "b'- a\\n' * 250_000",
    "pairs": "b'- [a: b, c: d]\\n' * 60_000",
    "bushy": "b'[' * 60 + b'a,' * 400_000",
    "quoted": "b'\"' + b'a ' * 500_000",
    "anchor": "b'&' + b'a' * 1_000_000",
    "bomb": "b'a: &a [x,x]\\nb: &b [*a,*a,*a,*a]\\nc: [*b,*b,*b]\\n'",
    "documents": "b'---\\n' * 200_000",
    "digits": "b'9' * 1_000_000",
    "big": "b'a: b\\n' * 10_000_000",
    "sparse": "bytes(50 << 20)",
}
JSON_KILLERS = {
    "lists": "b'[' * 16_000_000",
    "objects": "b'{\"a\":' * 2_000_000",
    "hollow": "b'[' + b'[],' * 5_000_000 + b'1]'",
    "numbers": "b'[' + b'1.5,' * 3_900_000 + b'1]'",
    "brackets": "b'[' + b'\"[\",' * 3_900_000 + b'1]'",
    "escapes": "b'\"' + b'\\\\\\\\' * 8_000_000",
    "digits": "b'9' * 16_000_000",
}
PROBE = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
from strata_git import load
data = {data}
def peak():  # of this program: ru_maxrss would count that of whoever started it
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
before = peak()
begun = time.process_time()
try:
    load.{reader}(data)
    said = "read"
except load.Unloadable:
    said = "refused"
grown = peak() - before
print(said, time.process_time() - begun, grown // 1024)
"""


@pytest.mark.parametrize("name", KILLERS)
def test_yaml_killers_die(name):
    probe("load_yaml", KILLERS[name])


@pytest.mark.parametrize("name", JSON_KILLERS)
def test_json_killers_die(name):
    probe("load_json", JSON_KILLERS[name])


def probe(reader: str, data: str) -> None:
    code = PROBE.format(reader=reader, data=data)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=unmeasured(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, seconds, megabytes = done.stdout.split()
    assert said == "refused"
    assert float(seconds) < 2
    assert int(megabytes) < 300


def test_yaml_is_not_imported_before_it_is_needed():
    code = "import sys, json; import strata_git.load; print(json.dumps('yaml' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(done.stdout) is False
