"""`convert`: one door to all documents. The same revision gives the same bytes, whoever asks and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from strata_git.errors import StrataError, UsageError
from strata_git.load import dump_json

if TYPE_CHECKING:
    from strata_git.exchange.subject import Subject

FILES: Mapping[str, str] = {
    "croissant": "croissant.json",
    "cyclonedx": "bom.cdx.json",
    "hf-card": "README.md",
    "prov": "prov.json",
    "prov-n": "prov.provn",
    "ro-crate": "ro-crate-metadata.json",
    "dvc": "dvc.yaml",
}
"""Every format that is a document, with the name its readers look for."""


def document(subjects: Sequence[Subject], format_: str, *, base: str = "") -> bytes:
    """The document of `format_` (a key of `FILES`); only dvc.yaml tells of several artifacts.

    `base` goes before the paths of files in Croissant. Raises UsageError, and StrataError for an artifact that is of
    no kind the format has.
    """
    if len(subjects) != 1 and format_ != "dvc":
        raise UsageError(f"--to {format_} takes one artifact.", hint="Convert them one by one.")
    if base and format_ != "croissant":
        raise UsageError("--base goes with --to croissant.")
    try:
        return _WRITERS[format_](subjects, base)
    except (ValueError, TypeError) as error:  # what neither YAML nor JSON can hold: NaN in a card's front matter, say
        raise StrataError(f"{subjects[0].artifact.reference} cannot be written as {format_}: {error}.") from None


def _croissant(subjects: Sequence[Subject], base: str) -> bytes:
    from strata_git.exchange.croissant import croissant

    return dump_json(croissant(subjects[0], base=base if not base or base.endswith("/") else f"{base}/"))


def _cyclonedx(subjects: Sequence[Subject], _: str) -> bytes:
    from strata_git.exchange.cyclonedx import cyclonedx

    return dump_json(cyclonedx(subjects[0]))


def _hf_card(subjects: Sequence[Subject], _: str) -> bytes:
    from strata_git.exchange.hf_card import hf_card

    return hf_card(subjects[0])


def _prov(subjects: Sequence[Subject], _: str) -> bytes:
    from strata_git.exchange.prov import prov_json

    return dump_json(prov_json(subjects[0]))


def _prov_n(subjects: Sequence[Subject], _: str) -> bytes:
    from strata_git.exchange.prov import prov_n

    return prov_n(subjects[0]).encode()


def _ro_crate(subjects: Sequence[Subject], _: str) -> bytes:
    from strata_git.exchange.ro_crate import ro_crate

    return dump_json(ro_crate(subjects[0]))


def _dvc(subjects: Sequence[Subject], _: str) -> bytes:
    from strata_git.exchange.dvc_yaml import dvc_yaml

    return dvc_yaml(subjects)


_WRITERS: Mapping[str, Callable[[Sequence[Subject], str], bytes]] = {
    "croissant": _croissant,
    "cyclonedx": _cyclonedx,
    "hf-card": _hf_card,
    "prov": _prov,
    "prov-n": _prov_n,
    "ro-crate": _ro_crate,
    "dvc": _dvc,
}
