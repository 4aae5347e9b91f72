"""Merging by key: what both sides changed is in the result, or there is a conflict; nothing gets lost on the way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.authoring.init import init
from strata_git.authoring.merge import (
    DRIVER,
    Conflict,
    Unmergeable,
    configure_driver,
    forget_driver,
    merge_file,
    merge_texts,
    merge_values,
    same,
)
from strata_git.load import dump_yaml
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.0, 1.0, "", "a", "1"])
KEYS = st.sampled_from("abcd")
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
MAPPINGS = st.dictionaries(KEYS, VALUES, max_size=4)


BRANCH = "a mapping"


def nodes(value: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """Everything in a mapping by its path; `BRANCH` stands for a mapping."""
    if not isinstance(value, Mapping):
        return {path: value}
    below = {at: leaf for key, inner in value.items() for at, leaf in nodes(inner, (*path, key)).items()}
    return {path: BRANCH} | below


def attempt(base: object, ours: object, theirs: object) -> object:
    try:
        return merge_values(base, ours, theirs)
    except Conflict:
        return Conflict


@given(base=VALUES, changed=VALUES)
def test_one_side_alone_is_taken(base: object, changed: object) -> None:
    assert same(merge_values(base, changed, base), changed)
    assert same(merge_values(base, base, changed), changed)
    assert same(merge_values(base, changed, changed), changed)


@given(base=MAPPINGS, ours=MAPPINGS, theirs=MAPPINGS)
def test_the_sides_may_be_exchanged(base: object, ours: object, theirs: object) -> None:
    one, other = attempt(base, ours, theirs), attempt(base, theirs, ours)
    assert one is other is Conflict or same(one, other)


@given(base=MAPPINGS, ours=MAPPINGS, theirs=MAPPINGS)
def test_changes_of_different_keys_always_merge(
    base: dict[str, object], ours: dict[str, object], theirs: dict[str, object]
) -> None:
    mine = {**{key: base[key] for key in base if key in "cd"}, **{key: v for key, v in ours.items() if key in "ab"}}
    other = {**{key: base[key] for key in base if key in "ab"}, **{key: v for key, v in theirs.items() if key in "cd"}}
    expected = {key: v for key, v in ours.items() if key in "ab"} | {key: v for key, v in theirs.items() if key in "cd"}
    assert same(merge_values(base, mine, other), expected)


@given(base=MAPPINGS, ours=MAPPINGS, theirs=MAPPINGS)
def test_nothing_gets_lost_and_nothing_appears(base: object, ours: object, theirs: object) -> None:
    merged = attempt(base, ours, theirs)
    if merged is Conflict:
        return
    before, mine, other, result = nodes(base), nodes(ours), nodes(theirs), nodes(merged)
    absent = object()
    for path in before.keys() | mine.keys() | other.keys() | result.keys():
        was, one, two = (side.get(path, absent) for side in (before, mine, other))
        now = result.get(path, absent)
        assert any(now is value or same(now, value) for value in (one, two)), path
        for value in (one, two):
            changed = not (value is was or same(value, was))
            if changed and value is not absent:
                assert now is not absent, path
                assert same(now, value), path


@given(base=MAPPINGS, ours=MAPPINGS, theirs=MAPPINGS)
def test_the_order_is_that_of_ours(base: object, ours: dict[str, object], theirs: dict[str, object]) -> None:
    merged = attempt(base, ours, theirs)
    if isinstance(merged, Mapping) and not same(merged, theirs):
        assert [key for key in merged if key in ours] == [key for key in ours if key in merged]


@pytest.mark.parametrize(("base", "ours", "theirs", "path"), [
    ({"a": 1}, {"a": 2}, {"a": 3}, ("a",)),
    ({"a": 1}, {"a": True}, {"a": 1.0}, ("a",)),
    ({"a": 1}, {}, {"a": 2}, ("a",)),
    ({"a": {"b": 1}}, {"a": {"b": 2}}, {}, ("a",)),
    ({"a": {"b": [1]}}, {"a": {"b": [1, 2]}}, {"a": {"b": [0, 1]}}, ("a", "b")),
    ({}, {"a": 1}, {"a": 2}, ("a",)),
    ({"a": 1}, {"a": {"b": 1}}, {"a": {"c": 1}}, ("a",)),
])  # fmt: skip
def test_conflicts_name_the_key(base: object, ours: object, theirs: object, path: tuple[str, ...]) -> None:
    with pytest.raises(Conflict) as told:
        merge_values(base, ours, theirs)
    assert told.value.path == path


# --- texts


def test_neighbouring_lines_merge() -> None:
    merged = merge_texts(b"a: 1\nb: 1\n", b"a: 2\nb: 1\n", b"a: 1\nb: 2\nc: 3\n", "experiments/x.yaml")
    assert merged == b"a: 2\nb: 2\nc: 3\n"


def test_json_stays_json() -> None:
    base, ours, theirs = b'{\n  "a": 1\n}\n', b'{\n  "a": 1,\n  "b": 0.5\n}\n', b'{\n  "a": 1,\n  "c": 2\n}\n'
    assert merge_texts(base, ours, theirs, "metrics.json") == b'{\n  "a": 1,\n  "b": 0.5,\n  "c": 2\n}\n'


def test_both_added_the_file() -> None:
    assert merge_texts(b"", b"a: 1\n", b"b: 2\n", "strata.yaml") == b"a: 1\nb: 2\n"
    with pytest.raises(Conflict):
        merge_texts(b"", b"a: 1\n", b"a: 2\n", "strata.yaml")


def test_comments_at_the_top_stay_and_others_are_never_lost() -> None:
    head = b"# An experiment.\n\n"
    merged = merge_texts(head + b"a: 1\nb: 1\n", head + b"a: 2\nb: 1\n", b"# New.\na: 1\nb: 2\n", "x.yaml")
    assert merged == b"# New.\na: 2\nb: 2\n"
    with pytest.raises(Unmergeable, match="lose comments"):
        merge_texts(b"a: 1\nb: 1\n", b"a: 2  # better\nb: 1\n", b"a: 1\nb: 2\n", "x.yaml")
    with pytest.raises(Unmergeable, match="comments at the top"):
        merge_texts(b"# 1\na: 1\nb: 1\n", b"# 2\na: 2\nb: 1\n", b"# 3\na: 1\nb: 2\n", "x.yaml")


def test_a_merge_by_line_that_says_the_same_is_kept() -> None:
    lines = b"a: 2  # better\nb: 1\nc: 1\nd: 2\n"
    base, ours = b"a: 1\nb: 1\nc: 1\nd: 1\n", b"a: 2  # better\nb: 1\nc: 1\nd: 1\n"
    assert merge_texts(base, ours, b"a: 1\nb: 1\nc: 1\nd: 2\n", "x.yaml", lines) == lines


@pytest.mark.parametrize("bad", [b"a: [\n", b"a: 1\na: 2\n", b"a: &x 1\n", b"\xff", b"a: " + b"[" * 99_999])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_cannot_be_read_is_not_merged(bad: bytes, place: int) -> None:
    texts = [b"a: 1\n", b"a: 1\nb: 1\n", b"a: 1\nc: 1\n"]
    texts[place] = bad
    with pytest.raises(Unmergeable, match="cannot be read"):
        merge_texts(*texts, "x.yaml")


@given(base=MAPPINGS, ours=MAPPINGS, theirs=MAPPINGS)
def test_texts_merge_as_their_values_do(base: object, ours: object, theirs: object) -> None:
    from strata_git.load import load_yaml

    expected = attempt(base, ours, theirs)
    try:
        merged = merge_texts(*(dump_yaml(side) for side in (base, ours, theirs)), "x.yaml")
    except Conflict:
        assert expected is Conflict
        return
    assert same(load_yaml(merged).value, expected)


# --- files


def files(tmp_path: Path, *texts: bytes) -> list[Path]:
    made = [tmp_path / name for name in ("base", "ours", "theirs")]
    for path, text in zip(made, texts, strict=True):
        path.write_bytes(text)
    return made


def test_a_conflict_has_the_usual_markers(builder: Builder, tmp_path: Path) -> None:
    base, ours, theirs = files(tmp_path, b"a: 1\n", b"a: 2\n", b"a: 3\n")
    done = merge_file(builder().repository(), base, ours, theirs, "strata.yaml")
    assert (done.clean, done.reason) == (False, "both sides changed 'a'")
    assert ours.read_bytes() == b"<<<<<<< ours\na: 2\n=======\na: 3\n>>>>>>> theirs\n"


def test_a_binary_file_is_left_as_it_is(builder: Builder, tmp_path: Path) -> None:
    base, ours, theirs = files(tmp_path, b"\0a", b"\0b", b"\0c")
    assert not merge_file(builder().repository(), base, ours, theirs, "strata.yaml").clean
    assert ours.read_bytes() == b"\0b"


def test_one_key_added_twice_in_distant_places_is_a_conflict(builder: Builder, tmp_path: Path) -> None:
    """Line by line it would merge, into a file with the key twice."""
    middle = b"".join(b"k%d: 1\n" % number for number in range(9))
    base, ours, theirs = files(tmp_path, middle, b"new: 1\n" + middle, middle + b"new: 2\n")
    done = merge_file(builder().repository(), base, ours, theirs, "strata.yaml")
    assert (done.clean, done.reason) == (False, "both sides changed 'new'")


# --- the setting


def test_the_driver_is_configured_once_and_taken_out_again(builder: Builder) -> None:
    repo = builder()
    assert configure_driver(repo.repository())
    told = repo.git("config", "--local", DRIVER)
    assert "merge-driver %O %A %B %P" in told
    assert repo.git("config", "--local", "merge.strata.name")
    assert configure_driver(repo.repository()) == []
    assert forget_driver(repo.repository())
    assert forget_driver(repo.repository()) == []
    assert repo.try_git("config", "--local", DRIVER).code == 1


def test_a_foreign_driver_of_that_name_stays(builder: Builder) -> None:
    repo = builder()
    repo.git("config", "--local", DRIVER, "mine %A")
    assert configure_driver(repo.repository()) == []
    assert forget_driver(repo.repository()) == []
    assert repo.git("config", "--local", DRIVER) == "mine %A"


def test_init_and_install_configure_it(hermetic: dict[str, str], tmp_path: Path, builder: Builder) -> None:
    made = init(tmp_path / "w", hermetic, lfs=False)
    assert any("merge.strata.driver" in line for line in made.settings)
    assert RepositoryBuilder(tmp_path / "w", hermetic).git("config", "--local", DRIVER)
    other = builder().workspace()
    other.strata("install").expect(0)
    assert other.git("config", "--local", DRIVER)
    other.strata("uninstall").expect(0)
    assert other.try_git("config", "--local", DRIVER).code == 1


def test_a_conflict_names_its_key_in_printable_words() -> None:
    with pytest.raises(Conflict, match=r"'\\x7fa'"):
        merge_values({}, {"\x7fa": 0}, {"\x7fa": 1})
