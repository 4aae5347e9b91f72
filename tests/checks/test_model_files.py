"""Model files by content, as findings: STR-M006 and STR-M008 to STR-M013."""

from __future__ import annotations

import json
import pickle
from hashlib import sha256
from pathlib import Path

import pytest

from strata_git.checks import model_files
from tests.checks.judging import judge, only, pointer, rules, told
from tests.integrity import pickles
from tests.support import artifacts

EVIL = pickles.commands(Path("/nonexistent/hit"))["stack_global"]
DIRECTORY = "models/forest/v1"


def with_file(name: str, data: bytes, **metadata: object) -> dict[str, bytes]:
    return artifacts.model(extra={name: data}, metadata=metadata)


def test_a_model_of_data_alone_is_silent_and_names_no_imports() -> None:
    judgement = judge(artifacts.model())
    assert judgement.findings == ()
    assert "imports" not in judgement.summary


def test_a_pickle_of_known_types_is_a_warning_with_its_imports() -> None:
    judgement = judge(with_file("model.pkl", pickles.call(pickles.named("collections", "OrderedDict")) + b"."))
    finding = only(judgement.findings)
    assert (finding.rule, finding.severity) == ("STR-M006", "warning")
    assert (
        finding.message
        == "is in a format that can run code when loaded (it is a pickle, which can run code when loaded)"
    )
    assert judgement.summary["imports"] == ["collections.OrderedDict"]


def test_what_takes_over_the_machine_is_an_error() -> None:
    findings = judge(with_file("model.pkl", EVIL)).findings
    assert rules(findings) == ["STR-M006", "STR-M009"]
    harm = next(finding for finding in findings if finding.rule == "STR-M009")
    assert (harm.severity, harm.path, harm.message) == ("error", f"{DIRECTORY}/model.pkl", "calls os.system")


def test_the_member_of_an_archive_is_named() -> None:
    data = pickles.wrappings(EVIL)["torch.pt"]
    harm = next(finding for finding in judge(with_file("model.pt", data)).findings if finding.rule == "STR-M009")
    assert harm.message == "in it, 'archive/data.pkl' calls os.system"


def test_many_things_are_told_in_one_line() -> None:
    calls = [pickles.call(pickles.named("os", f"system{at}"), b"N") + b"0" for at in range(9)]
    findings = judge(with_file("model.pkl", b"".join(calls) + b"N.")).findings
    assert next(f for f in findings if f.rule == "STR-M009").message.endswith("and 5 things more")


def test_a_disguise_is_an_error() -> None:
    assert told(with_file("model.safetensors", pickle.dumps([1]))) == ["STR-M006", "STR-M008"]
    assert told(with_file("notes.txt", EVIL)) == ["STR-M006", "STR-M008", "STR-M009"]


def test_an_unknown_import_is_a_warning() -> None:
    data = pickles.call(pickles.named("mine", "Model")) + b"."
    finding = next(f for f in judge(with_file("model.pkl", data)).findings if f.rule == "STR-M010")
    assert (finding.severity, finding.message) == ("warning", "calls mine.Model")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("model.safetensors", b"\x08\0\0\0\0\0\0\0{}      tail"),
        ("model.zip", pickles.zip_of({"../out": b"x"})),
        ("model.npy", b"no array"),
        ("model.onnx", b"\xff\xff"),
    ],
)
def test_unsound_files_are_errors(name: str, data: bytes) -> None:
    assert told(with_file(name, data)) == ["STR-M011"]


def test_large_and_strangely_packed_files_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(with_file("model.bin", b"\x04\x22\x4d\x18" + bytes(30))) == ["STR-M012"]
    monkeypatch.setattr(model_files, "LOOK_LIMIT", 2000)
    finding = only(judge(with_file("model.bin", EVIL + bytes(3000))).findings)
    assert (finding.rule, finding.severity) == ("STR-M012", "info")


def test_pointers_are_not_looked_into() -> None:
    known = pointer(sha256(EVIL).hexdigest(), len(EVIL))
    for name, expected in (("weights.bin", []), ("weights.pkl", ["STR-M006"])):
        assert told(artifacts.model(extra={name: EVIL}, replace={name: known})) == expected


def skops(*types: str) -> bytes:
    nodes = [dict(zip(("__module__", "__class__"), one.rsplit(".", 1), strict=True)) for one in types]
    return pickles.zip_of({"schema.json": json.dumps({"content": nodes}).encode()})


def test_types_of_a_skops_file_are_those_trusted() -> None:
    usual = skops("sklearn.pipeline.Pipeline", "numpy.ndarray", "builtins.dict")
    assert told(with_file("other.skops", usual)) == []
    strange = skops("mine.Thing", "sklearn.pipeline.Pipeline")
    finding = only(judge(with_file("other.skops", strange)).findings)
    assert (finding.rule, finding.message) == ("STR-M013", "needs mine.Thing, not among trusted_types")
    assert told(with_file("other.skops", strange, trusted_types=["mine.Thing"])) == []
    assert told(with_file("other.skops", skops("os.system"), trusted_types=["os.system"])) == ["STR-M009"]


def onnx(location: str) -> bytes:
    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    entry = field(1, b"location") + field(2, location.encode())
    return b"\x08\x08" + field(7, field(5, field(13, entry)))


def test_external_data_of_onnx_lies_in_the_model() -> None:
    assert told(artifacts.model(extra={"net/model.onnx": onnx("weights.bin"), "net/weights.bin": b"12"})) == []
    assert told(with_file("net/model.onnx", onnx("weights.bin"))) == ["STR-M011"]
    assert told(with_file("model.onnx", onnx("../../../etc/passwd"))) == ["STR-M011"]
    assert told(with_file("model.onnx", onnx("/etc/passwd"))) == ["STR-M011"]


def test_other_kinds_are_not_looked_into() -> None:
    assert "STR-M009" not in told(artifacts.dataset(extra={"data.pkl": EVIL}))
