"""The machine that follows pickles: what it cannot follow, it names."""

from __future__ import annotations

import pytest

from strata_git.integrity import opcodes
from strata_git.integrity.opcodes import COMPUTED, is_pickle, looks_like_pickle, walk
from tests.integrity import pickles

HEAD = b"\x80\x02"
WRAPPER = pickles.named("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81"
FLOATS = pickles.call(pickles.named("numpy", "dtype"), pickles.quoted("f8"))


def described(dtype: bytes = FLOATS, shape: bytes = b"I2\n\x85", more: bytes = b"") -> bytes:
    """The description of an array as joblib writes it, up to where its bytes follow."""
    return HEAD + WRAPPER + b"}(" + pickles.quoted("dtype") + dtype + pickles.quoted("shape") + shape + more + b"ub"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"0.", "takes more from the stack"),
        (b"R.", "takes more from the stack"),
        (b"(R.", "takes more from the stack"),
        (b"(2.", "takes more from the stack"),
        (b"t.", "a mark that is not there"),
        (b"1.", "a mark that is not there"),
        (b"h\x05.", "never put aside"),
        (b"Np-1\n.", "under no number"),
        (b"(o.", "an object of no class"),
        (b"Q.", "takes more from the stack"),
        (b"\xff", "ValueError"),
        (b"I1x\n.", "ValueError"),
        (b"", "ValueError"),
    ],
)
def test_what_breaks_off(body: bytes, told: str) -> None:
    done = walk(HEAD + body)
    assert not done.finished
    assert told in done.broken


@pytest.mark.parametrize(
    "body", [b"(NN1N.", b"NQ.", b"(NNd.", b"(N\x91.", b"\x97.", b"\x97\x98.", b"(I1\nl.", b"\x8f(N\x90.", b"PID\n."]
)
def test_rare_opcodes_are_followed(body: bytes) -> None:
    done = walk(HEAD + body)
    assert (done.finished, done.broken, done.oddities) == (True, "", [])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (pickles.named("a", "b") + b"Na.", "extends a.b itself"),
        (pickles.named("a", "b") + b"(Ne.", "extends a.b itself"),
        (pickles.named("a", "b") + b"NNs.", "writes into a.b itself"),
        (pickles.named("a", "b") + b"Nb.", "changes a.b itself"),
        (
            pickles.call(pickles.named("a", "b")) + b"(N}" + pickles.quoted("__class__") + b"Nstb.",
            "attribute __class__",
        ),
        (b"NN\x93.", "a name that it puts together"),
        (b"N)R.", "calls what it computed"),
    ],
)
def test_what_no_library_writes_is_odd(body: bytes, told: str) -> None:
    (oddity,) = walk(HEAD + body).oddities
    assert told in oddity


def test_oddities_do_not_pile_up() -> None:
    calls = b"".join(pickles.named("a", f"b{at}") + b"Nb0" for at in range(200))
    assert len(walk(HEAD + calls + b"N.").oddities) == 64


def test_a_computed_callee_is_no_import_anybody_can_allow() -> None:
    done = walk(HEAD + b"\x82\x01)R.")
    assert done.imports == done.calls == {COMPUTED}


# --- arrays of joblib


def test_an_array_is_stepped_over() -> None:
    done = walk(described() + bytes(16) + b".")
    assert (done.finished, done.arrays) == (True, 1)
    aligned = described(more=pickles.quoted("numpy_array_alignment_bytes") + b"I16\n")
    assert walk(aligned + b"\x03" + bytes(3) + bytes(16) + b".").finished


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (described() + bytes(4), "ends inside an array"),
        (described(shape=b"N"), "cannot be stepped over"),
        (described(shape=b"I-1\n\x85"), "cannot be stepped over"),
        (described(shape=b"N\x85"), "cannot be stepped over"),
        (described(dtype=b"N"), "cannot be stepped over"),
        (described(dtype=pickles.call(pickles.named("numpy", "dtype"))), "cannot be stepped over"),
        (described(dtype=pickles.call(pickles.named("numpy", "dtype"), b"N")), "cannot be stepped over"),
        (described(dtype=pickles.call(pickles.named("numpy", "dtype"), pickles.quoted("f"))), "cannot be stepped over"),
        (HEAD + WRAPPER + b"Nb", "cannot be stepped over"),
    ],
)
def test_arrays_that_cannot_be_stepped_over(data: bytes, told: str) -> None:
    assert told in walk(data + b"").broken


def test_arrays_of_objects_hold_a_pickle() -> None:
    objects = described(dtype=pickles.call(pickles.named("numpy", "dtype"), pickles.quoted("O8")))
    evil = pickles.call(pickles.named("os", "system"), pickles.quoted("id"))
    done = walk(objects + b"\x80\x02" + evil + b"." + b".")
    assert done.finished
    assert "os.system" in done.calls
    assert not walk(objects + b"\x80\x02" + evil).finished


# --- is it one


def test_what_looks_like_a_pickle() -> None:
    evil = pickles.call(pickles.named("os", "system"), pickles.quoted("id")) + b"."
    assert looks_like_pickle(evil)
    assert looks_like_pickle(b"N." * 20 + evil)
    assert looks_like_pickle(b"(" + b"I1\n" * 3000 + b"l0" + evil)
    assert not looks_like_pickle(b"N." * 2000)
    assert not looks_like_pickle(b"(" + b"I1\n" * 3000 + b"l.")
    assert not looks_like_pickle(b"")
    assert not looks_like_pickle(b"cats\ndogs\nbirds\n")


def test_a_stream_too_long_to_be_followed_is_one_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    done = walk(HEAD + b"N0" * 100 + b"N.", limit=10)
    assert done.limited
    assert is_pickle(done, HEAD)
    from strata_git.integrity import scan

    monkeypatch.setattr(opcodes, "OPCODES_LIMIT", 10)
    monkeypatch.setattr(opcodes.walk, "__kwdefaults__", {"limit": 10})
    monkeypatch.setattr(opcodes.walk_all, "__kwdefaults__", {"limit": 10})
    assert {danger.kind for danger in scan.scan_file("m.pkl", HEAD + b"N0" * 100 + b"N.").dangers} == {
        "code",
        "unscanned",
    }
