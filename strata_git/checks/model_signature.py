"""model.sig: what can be said of it from the directory alone, and what a verdict on its signature amounts to (TFC-0008
section 5). No key is touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from strata_git.checks.exhibit import Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import CHECKSUMS, MODEL_SIG, SIGNATURE, Artifact

if TYPE_CHECKING:
    from strata_git.integrity.oms import Bundle
    from strata_git.integrity.oms_keys import ModelVerdict

_SHOWN = 5
_RULES = {"bad": "STR-S011", "unknown-key": "STR-S012", "ended": "STR-S014"}


def judge_model_signature(exhibit: Exhibit) -> Iterator[Finding]:
    """Judge form and content of an artifact's model.sig; nothing where there is none.

    CHECKSUMS.txt is believed here, so a Git LFS pointer is enough; whether the list is true is judged beside this.
    """
    content = exhibit.contents.get(MODEL_SIG)
    if content is None or content.stored == "pointer":
        return
    path = exhibit.path(MODEL_SIG)
    bundle, problem = read_model_signature(exhibit)
    if bundle is None:
        yield found("STR-S009", path, problem)
        return
    from strata_git.integrity.oms import unjudgeable

    if (reason := unjudgeable(bundle)) is not None:
        yield found("STR-S013", path, f"not judged: {reason}")
        return
    yield from _judge_list(exhibit, bundle, path)


def judge_model_verdict(artifact: Artifact, verdict: ModelVerdict) -> Iterator[Finding]:
    """The finding that a verdict on the signature amounts to; what is not judgeable is told from the directory."""
    if verdict.status in _RULES:
        yield found(_RULES[verdict.status], f"{artifact.path}/{MODEL_SIG}", f"signature {verdict.sentence}")
    elif not verdict.enrolled:
        fix = "let whoever changes the policy add the key: `git strata trust add NAME --key PUB.pem`"
        yield found("STR-S007", f"{artifact.path}/{MODEL_SIG}", f"signature {verdict.sentence}", fix=fix)


def read_model_signature(exhibit: Exhibit) -> tuple[Bundle | None, str]:
    """The artifact's model.sig taken apart, or None and why not (`""` when there is none, or its object is absent)."""
    from strata_git.integrity.oms import SIZE_LIMIT, OmsError, read_bundle

    if MODEL_SIG not in exhibit.contents:
        return None, ""
    try:
        return read_bundle(exhibit.read(MODEL_SIG, SIZE_LIMIT)), ""
    except OmsError as error:
        return None, f"is no model signature: {error}"
    except KeyError:
        return None, ""
    except ValueError:
        return None, f"is larger than {SIZE_LIMIT >> 20} MiB"


def _judge_list(exhibit: Exhibit, bundle: Bundle, path: str) -> Iterator[Finding]:
    from strata_git.integrity.checksums import SIZE_LIMIT, ChecksumError, parse
    from strata_git.integrity.oms import differences

    if CHECKSUMS not in exhibit.contents:
        return
    try:
        sums = parse(exhibit.read(CHECKSUMS, SIZE_LIMIT))
    except (ChecksumError, KeyError, ValueError):
        return  # told by the rules on the list itself
    beside = {name: exhibit.contents[name].sha256 for name in (CHECKSUMS, SIGNATURE) if name in exhibit.contents}
    told = list(differences(bundle.manifest, sums, beside))
    for sentence in told[:_SHOWN]:
        rest = len(told) - _SHOWN
        yield found("STR-S010", path, sentence + (f" (and {rest} more)" if rest > 0 and sentence == told[4] else ""))
