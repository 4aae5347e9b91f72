"""Model files by content: every attack is told, nothing of it runs, and what people really save passes."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.integrity.imports import forbidden, judge_import
from strata_git.integrity.opcodes import COMPUTED, walk, walk_all
from strata_git.integrity.scan import Danger, OpcodeScanner, imports_of, merged, scan_file
from tests.integrity import pickles

NEVER = Path("/nonexistent/hit")
COMMANDS = pickles.commands(NEVER)
GADGETS = pickles.gadgets()


def kinds(name: str, data: bytes) -> set[str]:
    return {danger.kind for danger in scan_file(name, data).dangers}


# --- attacks


def test_the_corpus_is_real(tmp_path: Path) -> None:
    """Every command runs when pickle reads it: in a process of its own, for that is what they are."""
    for name, data in pickles.commands(tmp_path / "hit").items():
        if name != "runstring":  # numpy's gadget needs numpy, which takes its time to load
            (tmp_path / name.replace(" ", "_").replace(",", "")).write_bytes(data)
    program = """
import os, pickle, sys
from pathlib import Path
folder = Path(sys.argv[1])
silent = []
for file in sorted(folder.iterdir()):
    try:
        pickle.loads(file.read_bytes())
    except Exception:
        pass
    if not (folder / "hit").exists():
        silent.append(file.name)
    else:
        (folder / "hit").unlink()
sys.exit(", ".join(silent) or 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_told(name: str) -> None:
    assert "harm" in kinds("model.pkl", COMMANDS[name])
    assert "harm" in kinds("weights.bin", COMMANDS[name])


@pytest.mark.parametrize("name", GADGETS)
def test_a_gadget_is_told(name: str) -> None:
    assert "harm" in kinds("model.pkl", GADGETS[name])


def test_nothing_runs_while_it_is_looked_at(tmp_path: Path) -> None:
    """In whatever it is wrapped, and whatever it is called."""
    hit = tmp_path / "hit"
    for command in pickles.commands(hit).values():
        for name, data in pickles.wrappings(command).items():
            found = scan_file(name, data)
            assert any(danger.kind == "harm" for danger in found.dangers), (name, found)
            assert found.imports
    assert not hit.exists()


@pytest.mark.parametrize("ending", ["safetensors", "onnx", "skops", "gguf", "csv", "json", "md", "png", "npy", "h5"])
def test_a_pickle_by_another_name_is_a_disguise(ending: str) -> None:
    assert {"harm", "disguise"} <= kinds(f"model.{ending}", COMMANDS["stack_global"])
    harmless = pickle.dumps([1.0] * 10)
    assert {"code", "disguise"} <= kinds(f"model.{ending}", harmless)
    assert "disguise" not in kinds("model.pkl", harmless)


def test_an_archive_by_another_name_is_a_disguise() -> None:
    evil = pickles.wrappings(COMMANDS["reduce, protocol 2"])["torch.pt"]
    assert {"disguise", "harm"} <= kinds("model.safetensors", evil)
    assert {"disguise", "harm"} <= kinds("model.skops", evil)
    assert "disguise" not in kinds("model.pt", evil)


def test_where_it_lies_is_told() -> None:
    data = pickles.wrappings(COMMANDS["reduce, protocol 2"])["zip-in-zip.zip"]
    (harm,) = [danger for danger in scan_file("a.zip", data).dangers if danger.kind == "harm"]
    assert harm == Danger("harm", "a.zip!archive/data.pkl", "calls os.system")


def test_what_follows_a_pickle_is_followed() -> None:
    done = list(walk_all(b"\x80\x02N." + COMMANDS["stack_global"] + b"\0" * 100))
    assert [one.finished for one in done] == [True, True]
    assert done[1].imports == {"os.system"}


# --- what people save


def sklearn_model() -> object:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [[float(i), float(i % 3)] for i in range(30)]
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, [i % 2 for i in range(30)])


@pytest.fixture(scope="module")
def model() -> object:
    return sklearn_model()


@pytest.mark.parametrize("protocol", range(6))
def test_a_plain_pickle_of_scikit_learn_is_only_code(model: object, protocol: int) -> None:
    assert kinds("model.pkl", pickle.dumps(model, protocol)) == {"code"}


@pytest.mark.parametrize("compress", [0, 3, "zlib", "gzip", "bz2", "lzma", "xz"])
def test_joblib_is_stepped_through(model: object, compress: object, tmp_path: Path) -> None:
    """Arrays between opcodes, of numbers, of text, of records and of objects, packed or not."""
    import joblib
    import numpy as np

    objects = np.array([{"a": 1}, None, "x"], dtype=object)
    records = np.zeros(3, dtype=[("a", "f8"), ("b", "U3"), ("c", "i2")])
    value = [model, np.arange(1000.0), objects, records, np.array(["a", "bcd"]), np.array(True), np.zeros((0, 3))]
    joblib.dump(value, tmp_path / "m.joblib", compress=(compress, 3) if isinstance(compress, str) else compress)
    assert kinds("m.joblib", (tmp_path / "m.joblib").read_bytes()) == {"code"}


def test_numpy_saves_data_and_objects(tmp_path: Path) -> None:
    import numpy as np

    np.save(tmp_path / "a.npy", np.arange(10))
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(10), b=np.zeros((2, 2)))
    np.save(tmp_path / "o.npy", np.array([1, None], dtype=object))
    assert kinds("a.npy", (tmp_path / "a.npy").read_bytes()) == set()
    assert kinds("a.npz", (tmp_path / "a.npz").read_bytes()) == set()
    assert kinds("o.npy", (tmp_path / "o.npy").read_bytes()) == {"code"}


def test_skops_names_its_types(model: object) -> None:
    import skops.io

    report = scan_file("model.skops", skops.io.dumps(model))
    assert (report.format, report.dangers, report.imports) == ("skops", [], set())
    assert "sklearn.pipeline.Pipeline" in report.types


def test_what_nobody_vouches_for_is_named() -> None:
    data = pickles.call(pickles.named("my_package.models", "Model"), b"I1\n") + b"."
    found = scan_file("model.pkl", data).dangers
    assert [(danger.kind, danger.what) for danger in found if danger.kind != "code"] == [
        ("unknown", "calls my_package.models.Model")
    ]


TEXTS = [
    b"a,b\n1,2\n", b"cats\ndogs\nbirds\n", b"Iris data\n2 rows\n", b"{}", b"[1, 2]", b"(see below)", b"0.5\n0.25\n",
    b"N.", b".", b"# Model card\n", b"import os\nos.system('x')\n", b"---\nlicense: mit\n---\n", b"", b"\0",
    b"\x89PNG\r\n\x1a\n" + bytes(40), b"\x82\x01\x02\x03" * 40, b"\x93\x85R." * 10, b"x\x9c not packed",
    b"]\0\0 not packed",
]  # fmt: skip


@pytest.mark.parametrize("data", TEXTS)
def test_other_files_are_left_in_peace(data: bytes) -> None:
    assert scan_file("file.txt", data).dangers == []
    assert scan_file("archive/data/0", data).dangers == []


@given(st.binary(max_size=300))
def test_no_bytes_break_the_scanner(data: bytes) -> None:
    for name in ("a.pkl", "a.onnx", "a.safetensors", "a.npy", "a.gguf"):
        scan_file(name, data)


@given(st.data())
def test_a_damaged_attack_never_breaks_the_scanner(data: st.DataObject) -> None:
    files = pickles.wrappings(COMMANDS["stack_global"])
    name = data.draw(st.sampled_from(sorted(files)))
    body = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    scan_file(name, bytes(body))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.integers())
    ),
    max_leaves=30,
)


@given(VALUES, st.integers(0, 5))
def test_plain_data_has_no_imports_and_is_followed_to_its_end(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    done = walk(data)
    assert (done.finished, done.end, done.oddities) == (True, len(data), [])
    assert all(judge_import(name) == "allowed" for name in done.imports)


# --- imports and policies


def test_imports_of_a_file(model: object) -> None:
    found = imports_of(pickle.dumps(model))
    assert "sklearn.pipeline.Pipeline" in found
    assert imports_of(b"a,b\n") == frozenset()
    assert imports_of(pickles.wrappings(COMMANDS["obj"])["torch.pt"]) == {"os.system"}
    assert COMPUTED in imports_of(GADGETS["extension 1"])


def test_a_policy_names_what_it_allows(model: object) -> None:
    found = imports_of(pickle.dumps(model))
    assert forbidden(found, found) == frozenset()
    assert forbidden(found, ["sklearn.*", "numpy.*"]) == frozenset()
    assert "numpy.ndarray" in forbidden(found, ["sklearn.*"])
    assert forbidden(["os.system", COMPUTED], ["os.*", "*", COMPUTED]) == {"os.system", COMPUTED}
    assert forbidden(["os.system"], ["os.system"]) == frozenset()  # whoever writes that means it
    assert forbidden([], []) == frozenset()


JUDGED: list[tuple[str, str]] = [
    ("builtins.set", "allowed"), ("builtins.eval", "harm"), ("builtins.print", "harm"), ("numpy.ndarray", "allowed"),
    ("numpy.load", "harm"), ("sklearn.tree._tree.Tree", "allowed"), ("sklearn.datasets._base.Bunch", "unknown"),
    ("sklearn.tree._tree.Tree.__init__.__globals__", "harm"), ("collections.OrderedDict.os.system", "harm"),
    ("mine.Model", "unknown"), ("__main__.Model", "unknown"), ("sklearn.externals.joblib.load", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), JUDGED)
def test_imports_are_judged(name: str, expected: str) -> None:
    assert judge_import(name) == expected


# --- several scanners


def test_findings_of_scanners_are_put_together() -> None:
    one, other = Danger("code", "", "x"), Danger("harm", "", "y")
    assert merged([[one], [other, one]]) == [other, one]
    assert OpcodeScanner().scan("a.pkl", COMMANDS["inst"]) == scan_file("a.pkl", COMMANDS["inst"]).dangers


def test_picklescan_joins_in(capfd: pytest.CaptureFixture[str]) -> None:
    from strata_git.integrity.scan_picklescan import installed_scanners

    ours, theirs = installed_scanners()
    assert (ours.name, theirs.name) == ("opcodes", "picklescan")
    assert theirs.scan("a.pkl", COMMANDS["stack_global"]) == [Danger("harm", "", "imports os.system, says picklescan")]
    assert theirs.scan("a.pkl", pickle.dumps({"a": 1})) == []
    assert theirs.scan("a.bin", b"text") == []
    assert capfd.readouterr() == ("", "")


def test_without_picklescan_we_look_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from strata_git.integrity import scan_picklescan

    monkeypatch.setitem(sys.modules, "picklescan", None)
    scan_picklescan.installed_scanners.cache_clear()
    try:
        assert [scanner.name for scanner in scan_picklescan.installed_scanners()] == ["opcodes"]
    finally:
        scan_picklescan.installed_scanners.cache_clear()


def test_a_keras_lambda_is_code() -> None:
    config = json.dumps({"config": {"layers": [{"class_name": "Lambda"}]}}).encode()
    assert kinds("m.keras", pickles.zip_of({"config.json": config})) == {"code"}
    assert kinds("m.keras", pickles.zip_of({"config.json": b'{"class_name": "Dense"}'})) == set()
    assert kinds("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(99) + config) == {"code"}
    assert kinds("m.h5", b"\x89HDF\r\n\x1a\n" + bytes(99)) == set()
