"""CHECKSUMS.txt: one canonical form, everything else refused."""

from __future__ import annotations

import subprocess
import unicodedata
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strata_git.integrity import checksums
from strata_git.integrity.checksums import ChecksumError, ChecksumList, collisions, content_hash, parse, render

A, B = "a" * 64, "b" * 64

letters = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\")
parts = st.text(letters, min_size=1, max_size=8).map(lambda text: unicodedata.normalize("NFC", text))
paths = st.lists(parts, min_size=1, max_size=4).map("/".join).filter(lambda name: checksums.name_problem(name) is None)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
sums = st.dictionaries(paths, digests, min_size=1, max_size=12).filter(lambda found: not collisions(found))


@given(sums)
def test_what_is_rendered_is_read_back(found: dict[str, str]) -> None:
    assert parse(render(found)) == found


@given(sums)
def test_there_is_one_form(found: dict[str, str]) -> None:
    data = render(dict(reversed(found.items())))
    assert render(parse(data)) == data
    assert list(parse(data)) == sorted(found, key=str.encode)


@given(st.binary(max_size=200) | st.text(max_size=80).map(lambda text: f"{A}  {text}\n".encode("utf-8", "replace")))
def test_any_bytes_are_canonical_or_refused(data: bytes) -> None:
    try:
        found = parse(data)
    except ChecksumError:
        return
    assert render(found) == data


@given(sums, st.data())
def test_a_changed_byte_never_reads_as_the_same_list(found: dict[str, str], data: st.DataObject) -> None:
    good = bytearray(render(found))
    good[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        changed = parse(bytes(good))
    except ChecksumError:
        return
    assert changed != found


def line(name: str, hex_: str = A) -> bytes:
    return f"{hex_}  {name}\n".encode()


MALFORMED = {
    "empty": (b"", 0),
    "only LF": (b"\n", 1),
    "no final LF": (line("a")[:-1], 1),
    "second line without LF": (line("a") + line("b")[:-1], 2),
    "blank line": (line("a") + b"\n" + line("b"), 2),
    "blank line at the end": (line("a") + b"\n", 2),
    "CRLF": (f"{A}  a\r\n".encode(), 1),
    "byte order mark": (b"\xef\xbb\xbf" + line("a"), 1),
    "not UTF-8": (line("a") + A.encode() + b"  \xff\n", 2),
    "overlong UTF-8": (A.encode() + b"  \xc0\xaf\n", 1),
    "UTF-8 surrogate": (A.encode() + b"  \xed\xa0\x80\n", 1),
    "NUL": (line("a\0b"), 1),
    "tab": (line("a\tb"), 1),
    "delete": (line("a\x7f"), 1),
    "C1 control": (line("a\x85b"), 1),
    "bidi override": (line("a\u202egnp.exe"), 1),
    "bidi isolate": (line("a\u2066b"), 1),
    "line separator": (line("a\u2028b"), 1),
    "escape": (line("a\x1b[2Jb"), 1),
    "upper-case hex": (line("a", "A" * 64), 1),
    "short hex": (line("a", "a" * 63), 1),
    "long hex": (line("a", "a" * 65), 1),
    "not hex": (line("a", "g" * 64), 1),
    "one space": (f"{A} a\n".encode(), 1),
    "binary mark": (f"{A} *a\n".encode(), 1),
    "no name": (f"{A}  \n".encode(), 1),
    "BSD form": (f"SHA256 (a) = {A}\n".encode(), 1),
    "comment": (b"# sums\n" + line("a"), 1),
    "junk after": (line("a") + b"junk\n", 2),
    "escaped line": (b"\\" + line("a\\\\b"), 1),
    "backslash": (line("a\\b"), 1),
    "absolute": (line("/etc/passwd"), 1),
    "parent": (line("../../x"), 1),
    "parent inside": (line("a/../b"), 1),
    "parent at the end": (line("a/.."), 1),
    "current": (line("./a"), 1),
    "current inside": (line("a/./b"), 1),
    "dot alone": (line("."), 1),
    "double slash": (line("a//b"), 1),
    "final slash": (line("a/"), 1),
    "standard input": (line("-"), 1),
    "standard input below": (line("a/-"), 1),
    "itself": (line("CHECKSUMS.txt"), 1),
    "itself in lower case": (line("checksums.txt"), 1),
    "signature": (line("SIGNATURE.asc"), 1),
    "model signature": (line("a") + line("model.sig"), 2),
    "unsorted": (line("b") + line("a"), 2),
    "sorted by locale": (line("a") + line("B"), 2),
    "twice": (line("a") + line("a"), 2),
    "twice, other digest": (line("a") + line("a", B), 2),
    "not NFC": (line("e\u0301"), 1),
    "case collision": (line("A") + line("a"), 2),
    "full case folding": (line("STRASSE") + line("straße"), 2),
    "NFC and case": (line("É") + line("é"), 2),
    "file above a file": (line("a") + line("a/b"), 2),
    "file above a file, by case": (line("A") + line("a/b/c"), 2),
    "device": (line("a/NUL.txt"), 1),
    "device alone": (line("aux"), 1),
    "trailing dot": (line("a."), 1),
    "trailing space": (line("a "), 1),
    "trailing space of a directory": (line("a /b"), 1),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_lists_are_refused_with_their_line(case: str) -> None:
    data, number = MALFORMED[case]
    with pytest.raises(ChecksumError) as refused:
        parse(data)
    assert refused.value.line == number
    assert refused.value.message.isprintable()


NAMES = ["-a", "*a", " a", "a  b", ".hidden", ".gitattributes", "...a", "a#b", "ß", "名前/データ.csv", "sub/model.sig",
         "sub/CHECKSUMS.txt", "console.txt", "-/x", "a'b\"c", "👩\u200d🔬.txt", "metadata.yaml", "com.txt"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_unusual_names_are_kept(name: str) -> None:
    assert parse(render({name: A})) == {name: A}


@pytest.mark.parametrize(
    "found",
    [{}, {"": A}, {"a\n" + B + "  b": A}, {"a": "A" * 64}, {"a": ""}, {"\udcff": A}, {"../a": A}, {"a": A, "A": A},
     {"a": A + "\n"}, {"model.sig": A}],
    ids=repr,
)  # fmt: skip
def test_what_the_grammar_cannot_hold_is_not_rendered(found: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        render(found)


def test_size_is_capped_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksums, "SIZE_LIMIT", 67)
    with pytest.raises(ChecksumError, match="at most 67"):
        parse(line("a"))
    with pytest.raises(ChecksumError, match="at most 67"):
        render({"a": A})
    monkeypatch.setattr(checksums, "SIZE_LIMIT", 68)
    assert parse(render({"a": A})) == {"a": A}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(paths, min_size=1, max_size=8).filter(lambda names: not collisions(names)))
def test_stock_sha256sum_agrees(tmp_path_factory: pytest.TempPathFactory, names: set[str]) -> None:
    root = tmp_path_factory.mktemp("artifact")
    found = {}
    for name in names:
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(name.encode())
        found[name] = sha256(name.encode()).hexdigest()
    assert stock_verdict(root, render(found)) == 0
    (root / min(names)).write_bytes(b"changed")
    assert stock_verdict(root, render(found)) == 1


def test_stock_sha256sum_agrees_about_unusual_names(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert stock_verdict(tmp_path, render(dict.fromkeys(NAMES, sha256(b"").hexdigest()))) == 0


def stock_verdict(root: Path, data: bytes) -> int:
    (root / "CHECKSUMS.txt").write_bytes(data)
    command = ["sha256sum", "--strict", "--quiet", "-c", "CHECKSUMS.txt"]
    done = subprocess.run(command, cwd=root, capture_output=True, check=False)
    (root / "CHECKSUMS.txt").unlink()
    return done.returncode


def test_digest_is_that_of_the_bytes() -> None:
    data = render({"a": A})
    assert checksums.digest(data) == "sha256:" + sha256(data).hexdigest()
    assert ChecksumList.read(data) == ChecksumList({"a": A}, checksums.digest(data))


def test_content_hash_covers_the_lines_of_the_payload() -> None:
    found = {"metadata.yaml": B, "data/b.csv": B, "data/a.csv": A, "sub/metadata.yaml": A}
    lines = f"{A}  data/a.csv\n{B}  data/b.csv\n{A}  sub/metadata.yaml\n"
    expected = "sha256:" + sha256(lines.encode()).hexdigest()
    assert content_hash(found, kind="dataset") == expected
    assert content_hash(found | {"SIGNATURE.asc": B, "model.sig": A, "CHECKSUMS.txt": A}, kind="model") == expected


def test_a_runs_record_is_about_it_and_no_payload() -> None:
    payload = {"metrics.json": A}
    assert content_hash(payload | {"run.yaml": B}, kind="run") == content_hash(payload, kind="run")
    assert content_hash(payload | {"run.yaml": B}, kind="dataset") != content_hash(payload, kind="dataset")


def test_collisions_name_both_paths() -> None:
    assert collisions(["A", "a", "b"]) == [("A", "a")]
    assert collisions(["x", "x/y/z", "x-y"]) == [("x", "x/y/z")]
    assert collisions(["a/b", "a/c", "A/d"]) == []
