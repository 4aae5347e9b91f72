"""Who may ask: keys that have expired or soon will. That strangers are asked for one, the settings see to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from strata_git.serving.checked import Subject, Verdict

SOON = timedelta(days=14)


def judge(subject: Subject) -> Iterator[Verdict]:
    """A warning for each key whose last day is past, or near."""
    api = subject.project.service.api
    today = subject.now.date()
    for key in api.auth.keys:
        if key.expires is None:
            continue
        last = date.fromisoformat(key.expires[:10])
        if last < today:
            yield Verdict("access", "warning", f"api.auth.keys: '{key.name}' has expired, on {last}")
        elif last - today <= SOON:
            yield Verdict("access", "warning", f"api.auth.keys: '{key.name}' expires on {last}")
    oidc = api.auth.oidc
    if oidc is not None and oidc.jwks and not (subject.project.directory / oidc.jwks).is_file():
        yield Verdict("access", "error", f"api.auth.oidc.jwks: there is no {subject.project.path}/{oidc.jwks}")
