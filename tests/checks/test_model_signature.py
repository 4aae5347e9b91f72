"""model.sig as a finding: STR-S009 to STR-S013."""

from __future__ import annotations

from hashlib import sha256

import pytest

from strata_git.checks.exhibit import Exhibit
from strata_git.checks.model_signature import judge_model_verdict, read_model_signature
from strata_git.contracts.layout import CHECKSUMS
from strata_git.integrity import checksums, oms
from strata_git.integrity.oms import write_bundle, write_statement
from strata_git.integrity.oms_keys import ModelVerdict
from strata_git.repo.tree import MemoryTree
from tests.checks.judging import FOREST, WithoutObjects, judge, only, pointer, rules, told
from tests.integrity.oms import edited
from tests.support import artifacts

SIG = f"{FOREST.path}/model.sig"
LISTED = artifacts.model()[f"{FOREST.path}/{CHECKSUMS}"]
SUMS = checksums.parse(LISTED)
WHOLE = {**SUMS, CHECKSUMS: sha256(LISTED).hexdigest()}
SIGNED = write_bundle(write_statement("forest@v1", WHOLE), b"signature", "a" * 64)


def with_sig(data: bytes) -> dict[str, bytes]:
    return artifacts.model(replace={"model.sig": data})


def signed(sums: dict[str, str]) -> bytes:
    return write_bundle(write_statement("x", sums), b"signature", "a" * 64)


def test_a_sound_signature_over_the_whole_list_is_silent() -> None:
    assert told(with_sig(SIGNED)) == []
    assert told(with_sig(signed(dict(SUMS)))) == []


@pytest.mark.parametrize("data", [b"", b"{}", b"-----BEGIN PGP SIGNATURE-----\n", SIGNED[:-20], b"[" * 100_000])
def test_what_is_no_model_signature_is_an_error(data: bytes) -> None:
    finding = only(judge(with_sig(data)).findings)
    assert (finding.rule, finding.severity, finding.path) == ("STR-S009", "error", SIG)
    assert finding.message.startswith("is no model signature: ")


@pytest.mark.parametrize(
    ("sums", "message"),
    [
        ({**WHOLE, "more": "b" * 64}, "'more' is signed and not in CHECKSUMS.txt"),
        ({name: hex_ for name, hex_ in WHOLE.items() if name != "card.md"}, "'card.md' is in CHECKSUMS.txt and not"),
        ({**WHOLE, "card.md": "b" * 64}, "'card.md' is signed as sha256 bbbb"),
        ({**WHOLE, CHECKSUMS: "b" * 64}, "the file has"),
        ({**WHOLE, "SIGNATURE.asc": "b" * 64}, "'SIGNATURE.asc' is signed and not in CHECKSUMS.txt"),
    ],
)
def test_other_files_than_those_listed_are_errors(sums: dict[str, str], message: str) -> None:
    finding = only(judge(with_sig(signed(sums))).findings)
    assert (finding.rule, finding.severity) == ("STR-S010", "error")
    assert message in finding.message


def test_one_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oms, "SIZE_LIMIT", 100)
    assert only(judge(with_sig(SIGNED)).findings).message == "is larger than 0 MiB"


def test_nothing_is_said_of_what_is_not_there() -> None:
    def exhibit(files: dict[str, bytes]) -> Exhibit:
        return Exhibit.of(MemoryTree(files), FOREST)

    assert read_model_signature(exhibit(artifacts.model())) == (None, "")
    there = exhibit(with_sig(SIGNED))
    gone = Exhibit(WithoutObjects(with_sig(SIGNED), SIG), FOREST, there.entries, there.contents, ())
    assert read_model_signature(gone) == (None, "")


def test_many_differences_are_counted() -> None:
    findings = judge(with_sig(signed({f"f{at}": "b" * 64 for at in range(20)}))).findings
    assert rules(findings) == ["STR-S010"] * 5
    assert sum("more)" in finding.message for finding in findings) == 1


def test_a_signature_that_cannot_be_judged_here_says_so() -> None:
    certificate = {"x509CertificateChain": {"certificates": [{"rawBytes": "AA=="}]}}
    finding = only(judge(with_sig(edited(SIGNED, lambda one: one.update(verificationMaterial=certificate)))).findings)
    assert (finding.rule, finding.severity) == ("STR-S013", "info")
    assert finding.message.startswith("not judged: it is signed by certificate")


def test_a_list_that_cannot_be_read_is_told_by_its_own_rules() -> None:
    files = with_sig(SIGNED)
    assert told(files | {f"{FOREST.path}/{CHECKSUMS}": b"junk"}) == ["STR-C002"]
    del files[f"{FOREST.path}/{CHECKSUMS}"]
    assert told(files) == ["STR-C001"]


def test_a_pointer_in_its_place_and_an_absent_object() -> None:
    assert told(with_sig(pointer("a" * 64, 10))) == ["STR-F002"]
    from strata_git.checks.engine import judge_artifact

    found = judge_artifact(WithoutObjects(with_sig(SIGNED), SIG), FOREST).findings
    assert rules(found) == ["STR-Y003"]


@pytest.mark.parametrize(
    ("status", "rule", "severity"),
    [
        ("bad", "STR-S011", "error"),
        ("unknown-key", "STR-S012", "info"),
        ("ended", "STR-S014", "warning"),
        ("good", None, ""),
        ("not-judged", None, ""),
    ],
)
def test_verdicts_become_findings(status: str, rule: str | None, severity: str) -> None:
    found = list(judge_model_verdict(FOREST, ModelVerdict(status, "a" * 64, "sentence")))
    assert [(one.rule, one.severity, one.path) for one in found] == ([(rule, severity, SIG)] if rule else [])
