"""Our readers beside those of others: what we write they take, and what we both read we read alike."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strata_git import load
from strata_git.canonical import canonical_json
from strata_git.contracts.layout import NAME, VERSION
from strata_git.ledger.names import TAGGED, EventName, parse_name
from strata_git.load import Unloadable
from strata_git.repo.lfs import format_pointer, parse_pointer
from tests.fuzz.grammars import TARGETS
from tests.fuzz.mutations import inputs
from tests.support.fixtures import Builder

FEW = settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=250)


def drawn(strategy: st.SearchStrategy[str]) -> list[str]:
    """Many values at once, for readers that are asked in one go."""
    found: set[str] = set()

    @MANY
    @given(strategy)
    def collect(value: str) -> None:
        found.add(value)

    collect()
    return sorted(found)


def peer(gto: Path, script: str, given_: Sequence[str]) -> list[object]:
    """What a script answers for each text, in the interpreter in which other tools are installed."""
    words = [str(gto.with_name("python")), "-c", script]
    done = subprocess.run(words, input=json.dumps(list(given_)), capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout)
    assert isinstance(answers, list)
    assert len(answers) == len(given_)
    return answers


# --- names of tags

sequences = st.integers(1, 999_999_999)
models = st.from_regex(NAME, fullmatch=True).filter(lambda name: len(name) < 60)
events = st.one_of(
    st.builds(EventName, models, version=st.from_regex(VERSION, fullmatch=True)),
    st.builds(EventName, models, stage=st.sampled_from(TAGGED), leaving=st.booleans(), seq=sequences),
    st.builds(EventName, models, seq=sequences),
)
GTO = """
import json, sys
from gto.tag import parse_name
def read(name):
    try:
        said = parse_name(name)
    except Exception as error:
        return type(error).__name__
    return [getattr(said.get("action"), "value", ""), *map(said.get, ("name", "version", "stage", "counter"))]
print(json.dumps([read(name) for name in json.load(sys.stdin)]))
"""


def test_gto_reads_names_of_events_as_we_do(gto: Path) -> None:
    """But for resolutions, which are no form of gto's: it does not read them as anything else either."""
    tags = drawn(events.map(lambda event: event.tag))
    for tag, said in zip(tags, peer(gto, GTO, tags), strict=True):
        event = parse_name(tag)
        assert event is not None
        if event.kind == "resolution":
            assert isinstance(said, str), f"gto reads {tag} as {said}"
        elif event.kind == "registration":
            assert said == ["register", event.model, f"{event.version}.0.0", None, None]
        else:
            action = "unassign" if event.leaving else "assign"
            assert said == [action, event.model, None, event.stage, event.seq]


def test_what_pretends_to_be_an_event_to_gto_is_told(gto: Path) -> None:
    """Whatever gto reads as an event of a model that can be ours is an event to us, or at least alike to one."""
    from strata_git.ledger.names import likeness

    tags = drawn(inputs(TARGETS["event_name"]).map(lambda data: data.decode("utf-8", "replace")))
    for tag, said in zip(tags, peer(gto, GTO, tags), strict=True):
        if isinstance(said, list) and NAME.fullmatch(str(said[1])):
            assert likeness(tag)[0] in ("event", "malformed"), f"gto reads {tag} as {said}"


def test_git_takes_every_name_of_an_event(builder: Builder) -> None:
    """All of them in one transaction."""
    repo = builder()
    head = repo.commit("first")
    tags = drawn(events.map(lambda event: event.tag))
    lines = "".join(f"create refs/tags/{tag} {head}\n" for tag in tags)
    repo.git("update-ref", "--stdin", stdin=lines.encode())
    assert repo.git("for-each-ref", "--format=%(refname:strip=2)", "refs/tags").split("\n") == tags


# --- pointers


def accepted_by_git_lfs(data: bytes) -> bool:
    words = ["git", "lfs", "pointer", "--check", "--strict", "--stdin"]
    return subprocess.run(words, input=data, capture_output=True, check=False).returncode == 0


@FEW
@given(oid=st.binary(min_size=32, max_size=32).map(bytes.hex), size=st.integers(1, 2**63 - 1))
def test_git_lfs_takes_the_pointers_we_write(oid: str, size: int) -> None:
    assert accepted_by_git_lfs(format_pointer(oid, size))


@FEW
@given(data=inputs(TARGETS["pointer"]))
def test_git_lfs_takes_the_pointers_we_take(data: bytes) -> None:
    assert parse_pointer(data) is None or accepted_by_git_lfs(data)


# --- scalars of YAML

scalars = st.one_of(
    st.from_regex(r"[-+]?[0-9]{1,4}", fullmatch=True),
    st.from_regex(r"[-+]?[0-9]{0,3}\.[0-9]{0,3}([eE][-+]?[0-9]{1,2})?", fullmatch=True),
    st.from_regex(r"0[ox][0-9a-f]{1,3}|[0-9]{1,2}:[0-9]{2}|[0-9]_[0-9]|20[0-9]{2}-0[1-9]-1[0-9]", fullmatch=True),
    st.sampled_from(
        ["true", "True", "tRue", "false", "null", "NULL", "~", "yes", "no", "On", "y", ".inf", ".NaN", "="]
    ),
    st.text("abe01.-+_", min_size=1, max_size=5).filter(lambda text: text.strip("-+_.") != ""),
)
CORE = re.compile(
    r"(?P<null>null|Null|NULL|~)|(?P<bool>true|True|TRUE|false|False|FALSE)|(?P<int>[-+]?[0-9]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<other>0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
"""The core schema of YAML 1.2, chapter 10.3.2."""


def core(text: str) -> object:
    """What the core schema makes of a plain scalar."""
    match = CORE.fullmatch(text)
    kind = match.lastgroup if match else None
    if kind in (None, "other"):
        return text
    if kind == "null":
        return None
    return text.lower() == "true" if kind == "bool" else int(text) if kind == "int" else float(text)


def ours(text: str) -> object:
    value = load.load_yaml(f"key: {text}\n".encode()).value
    assert isinstance(value, dict)
    return value["key"]


def is_kept(text: str) -> bool:
    """Which scalars stay text with us though the core schema types them: zeros in front, other bases, infinities."""
    match = CORE.fullmatch(text)
    return bool(re.match(r"[-+]?0[0-9]", text)) or (match is not None and match.lastgroup == "other")


@settings(max_examples=300, deadline=None)
@given(text=scalars)
def test_scalars_are_those_of_the_core_schema(text: str) -> None:
    try:
        value = ours(text)
    except Unloadable:
        assert text.startswith("-") or "1e" in text.lower() or "e" in text  # a list's dash, or out of range
        return
    assert repr(value) == repr(text if is_kept(text) else core(text))


RUAMEL = """
import json, sys
from ruamel.yaml import YAML
def read(text):
    try:
        value = YAML(typ="safe", pure=True).load("key: " + text + "\\n")["key"]
    except Exception as error:
        return ["error", ""]
    return [type(value).__name__, repr(value)]
print(json.dumps([read(text) for text in json.load(sys.stdin)]))
"""


def test_what_we_type_another_reader_of_yaml_1_2_types_alike(gto: Path) -> None:
    texts = drawn(scalars)
    typed = 0
    for text, said in zip(texts, peer(gto, RUAMEL, texts), strict=True):
        try:
            value = ours(text)
        except Unloadable:
            continue
        if isinstance(value, str) or said == ["str", repr(text)]:  # it knows no float without a digit in front
            continue
        assert said == [type(value).__name__, repr(value)], text
        typed += 1
    assert typed > 50


# --- JSON

documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4).filter(str.isprintable), inner),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(value=documents, indent=st.none() | st.integers(0, 3), ascii_=st.booleans())
def test_json_is_read_as_the_standard_library_reads_it(value: object, indent: int | None, ascii_: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_)
    assert repr(load.load_json(text.encode()).value) == repr(json.loads(text))


VALUES = {"string": "€$\x0f\nA'B\"\\\\\"/", "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27],
          "literals": [None, True, False]}  # fmt: skip
VALUES_WRITTEN = (
    r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
    r'"string":"€$\u000f\nA' + "'" + r'B\"\\\\\"/"}'
)
KEYS = {"€": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
        "\U0001f600": "Emoji: Grinning Face", "\x80": "Control", "ö": "Latin Small Letter O"}  # fmt: skip
KEYS_WRITTEN = (
    '{"\\r":"Carriage Return","1":"One","\x80":"Control","ö":"Latin Small Letter O",'
    '"€":"Euro Sign","\U0001f600":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}'
)
NUMBERS = [0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, 9007199254740992.0, 295147905179352830000.0,
           9.999999999999997e22, 1e23, 0.000001, 1e-7, 333333333.3333332, 1424953923781206.2, 1e21, 1e20]  # fmt: skip
NUMBERS_WRITTEN = (
    "[0,0,5e-324,-5e-324,1.7976931348623157e+308,9007199254740992,295147905179352830000,9.999999999999997e+22,"
    "1e+23,0.000001,1e-7,333333333.3333332,1424953923781206.2,1e+21,100000000000000000000]"
)
RFC_8785 = [(VALUES, VALUES_WRITTEN), (KEYS, KEYS_WRITTEN), (NUMBERS, NUMBERS_WRITTEN)]
"""Its sections 3.2.2 and 3.2.3, and its appendix B."""


@pytest.mark.parametrize(("value", "canonical"), RFC_8785, ids=["values", "order", "numbers"])
def test_canonical_json_is_that_of_rfc_8785(value: object, canonical: str) -> None:
    assert canonical_json(value).decode() == canonical


@settings(max_examples=150, deadline=None)
@given(value=documents)
def test_canonical_json_is_one_form(value: object) -> None:
    data = canonical_json(value)
    again = json.loads(data, parse_int=float)
    assert again == json.loads(json.dumps(value), parse_int=float)
    assert canonical_json(load.load_json(data).value) == data


@settings(max_examples=200, deadline=None)
@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_written_shortest_and_read_back(value: float) -> None:
    text = canonical_json(value).decode()
    assert float(text) == value
    assert len(text) <= len(repr(value)) + 4  # 1e20 has all its digits
    assert re.fullmatch(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?(?:e[-+][1-9][0-9]*)?", text)


def test_what_has_no_canonical_form_is_refused() -> None:
    for value in (float("nan"), [float("inf")], "\ud800", {"é": float("-inf")}):
        with pytest.raises(ValueError):  # noqa: PT011 - several sorts of it
            canonical_json(value)
    for key in (1, None, True):
        with pytest.raises(TypeError):
            canonical_json({key: 1})
