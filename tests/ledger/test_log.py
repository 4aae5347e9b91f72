"""The signed log as text and as a fold: what reads as an entry, and what it says of references."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.ledger.log import NOTHING, Change, Entry, EntryError, compare, fold_log, format_entry, parse_entry
from tests.ledger.book import UUID

TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
POLICY = "sha256:" + "a" * 64
WHO = "Ada <ada@example.org>"
OIDS = st.integers(1, 9).map(lambda digit: str(digit) * 40)
REFS = st.sampled_from(["policy", "refs/tags/a@v1.0.0", "refs/tags/a#staging#1", "refs/strata/ledger/a"])


def entry(number: int, *changes: Change) -> Entry:
    parent = str(number - 1) * 40 if number > 1 else ""
    return Entry(str(number) * 40, parent, number, "a deed", UUID, POLICY, changes, 0, "ada")


def text(*changes: Change, number: int = 1, parent: str | None = None) -> bytes:
    return format_entry(
        number, "a deed", changes, repository=UUID, policy=POLICY, tree=TREE, parent=parent, who=WHO, when=1
    )


@given(st.dictionaries(REFS, st.tuples(OIDS, OIDS), min_size=1), st.integers(1, 999))
def test_what_is_written_is_read(moved: dict[str, tuple[str, str]], number: int) -> None:
    changes = [Change(ref, NOTHING, new) for ref, (_, new) in moved.items()]
    found = parse_entry("f" * 40, text(*changes, number=number, parent="e" * 40), empty_tree=TREE)
    assert (found.number, found.parent, found.deed, found.policy) == (number, "e" * 40, "a deed", POLICY)
    assert found.changes == tuple(sorted(changes))
    assert text(*found.changes, number=number, parent="e" * 40) == text(*changes, number=number, parent="e" * 40)


GOOD = text(Change("refs/tags/a@v1.0.0", NOTHING, "1" * 40), Change("refs/tags/b@v1.0.0", NOTHING, "2" * 40))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (TREE.encode(), b"1" * 40, "holds files"),
        (b"tree ", b"encoding x\ntree ", "other headers"),
        (b"author", b"mergetag x\nauthor", "other headers"),
        (b"\n\nEntry", b"\nparent x\n\nEntry", "other headers"),
        (b"Entry 1", b"Entry 0", "does not read"),
        (b"Entry 1", b"Entry 01", "does not read"),
        (b"Entry 1: a", b"Entry 1: \xff", "does not read"),
        (b"policy sha256:", b"policy sha1:", "does not read"),
        (b"- 1111", b"-  1111", "is no change"),
        (b"- " + b"1" * 40, b"1" * 40 + b" " + b"1" * 40, "is no change"),
        (b"refs/tags/b", b"refs/tags/ b", "is no change"),
        (b"refs/tags/b", b"refs/tags/A", "out of order"),
        (b"refs/tags/b", b"refs/tags/a", "out of order, or one of them twice"),
    ],
)
def test_what_is_no_entry(old: bytes, new: bytes, reason: str) -> None:
    assert parse_entry("f" * 40, GOOD, empty_tree=TREE).number == 1
    assert old in GOOD
    with pytest.raises(EntryError, match=reason):
        parse_entry("f" * 40, GOOD.replace(old, new, 1), empty_tree=TREE)


def rules(*entries: Entry, repository: str = UUID, versions: dict[str, int] | None = None) -> list[str]:
    log = fold_log(entries, repository=repository, versions={POLICY: 1} if versions is None else versions)
    return [complaint.message for complaint in log.complaints]


def test_a_line_of_entries_is_sound() -> None:
    first = entry(1, Change("refs/tags/a@v1.0.0", NOTHING, "1" * 40))
    second = entry(2, Change("refs/strata/ledger/a", NOTHING, "1" * 40))
    assert rules(first, second) == []
    taken_back = fold_log([first, replace(second, revoked=True)], repository=UUID, versions={POLICY: 1})
    assert [each.rule for each in taken_back.complaints] == ["STR-P043"]
    gone = entry(3, Change("refs/tags/a@v1.0.0", "1" * 40, NOTHING))
    log = fold_log([first, second, gone], repository=UUID, versions={POLICY: 1})
    assert (log.complaints, log.state) == ((), {"refs/strata/ledger/a": ("1" * 40, 2)})


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"number": 3}, "entry 3 of the signed log stands in the place of entry 2"),
        ({"who": ""}, "carries no signature of anybody enrolled"),
        ({"repository": UUID.replace("0", "1")}, "belongs to the repository"),
        ({"policy": "sha256:" + "b" * 64}, "which is none of this repository's"),
        ({"policy": "sha256:" + "c" * 64}, "names version 1 of the policy behind version 2"),
        ({"changes": (Change("policy", "3" * 40, "1" * 40),)}, "says that policy was " + "3" * 40),
        ({"changes": (Change("refs/tags/a@v1.0.0", "3" * 40, "1" * 40),)}, "and by the log it was -"),
    ],
)
def test_entries_that_break_the_line(about: dict[str, object], message: str) -> None:
    versions = {POLICY: 2, "sha256:" + "c" * 64: 1}
    first = entry(1, Change("policy", NOTHING, "1" * 40))
    second = replace(entry(2, Change("policy", "1" * 40, "2" * 40)), **about)  # type: ignore[arg-type]
    (told,) = rules(first, second, versions=versions)
    assert message in told


@given(st.dictionaries(REFS, OIDS), st.dictionaries(REFS, OIDS))
def test_what_differs_is_told_and_only_what_was_added_can_be_taken_up(
    logged: dict[str, str], here: dict[str, str]
) -> None:
    changes = tuple(sorted(Change(ref, NOTHING, oid) for ref, oid in logged.items()))
    log = fold_log([entry(1, *changes)], repository=UUID, versions={POLICY: 1})
    told, open_ = compare(log, here, lambda _ref, _old, _new: False)
    wrong = {each.message.split(" ")[0] for each in told if each.rule == "STR-P040"}
    assert wrong == {ref for ref, oid in logged.items() if here.get(ref) != oid}
    assert {change.ref for change in open_} == here.keys() - logged.keys()
    assert all("by entry 1 of the signed log (ada)" in each.message for each in told if each.rule == "STR-P040")
    onward, taken = compare(log, here, lambda _ref, _old, _new: True)
    assert {each.rule for each in onward if each.message.split(" ")[0] in here} <= {"STR-P042"}
    assert {change.ref for change in taken} == {ref for ref, oid in here.items() if logged.get(ref) != oid}
