"""The OpenAPI document that the service will show: that it can be written, and is one."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from strata_git.errors import printable
from strata_git.serving.checked import Subject, Verdict


def judge(subject: Subject) -> Iterator[Verdict]:
    """An error where a validator refuses it; without a validator it is only written."""
    from strata_git.serving.api import openapi

    if subject.loaded is None:
        yield Verdict("openapi", "skipped", "the gate refused the model")
        return
    model = subject.loaded.model
    document = openapi.describe(subject.project.service, model.signature, subject.loaded.provenance, None)
    if find_spec("openapi_spec_validator") is None:
        yield Verdict("openapi", "skipped", "it could be written; openapi-spec-validator is not installed")
        return
    from openapi_spec_validator import OpenAPIV31SpecValidator

    for error in OpenAPIV31SpecValidator(document).iter_errors():
        place = ".".join(map(str, error.absolute_path))
        yield Verdict("openapi", "error", printable(f"{place}: {error.message}"[:300]))
