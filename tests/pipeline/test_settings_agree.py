"""A strata.yaml that one door takes, every door takes: the doctor's two judges, and whoever resolves settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from strata_git.checks.texts import judge_text
from strata_git.config import SettingsError, load_settings
from strata_git.load import dump_yaml
from strata_git.pipeline.settings import ConfigurationError, resolve

ENTRIES: dict[str, list[Any]] = {
    "lfs": [True, "yes", None],
    "signing": [{"required": True}, {"require": True}, True],
    "keys": [
        {"azure": {"from": "env", "name": "X"}}, {"azure": {"from": "vault", "name": "X"}}, {"A B": {}},
        {"azure": {"from": "azure-key-vault", "name": "x", "vault": "https://user@host"}},
    ],
    "connectors": [
        {"docs": {"type": "local", "root": "docs"}}, {"docs": {"type": "ftp"}},
        {"docs": {"type": "s3", "bucket": "b", "key": "azure"}}, {"docs": {"type": "s3", "bucket": "${secret:azure}"}},
        {"docs": {"type": "s3", "bucket": "${secret:}"}}, [],
        {"docs": {"type": "s3", "bucket": "b", "key": "${secret:azure}"}},
    ],
    "inference": [
        {"default": {"provider": "offline", "model": "echo"}}, {"default": {"provider": "openai", "model": "x"}},
    ],
    "observability": [{"otlp": "http://127.0.0.1:4318"}, {"otlp": "here"}, {"otlp_headers": {"a": "${secret:azure}"}}],
    "execution": [{"jobs": 2}, {"jobs": 0}],
    "profiles": [
        {}, {"aws_lambda": {"execution": {"jobs": 3}}}, {"local": {"execution": {"jobs": "x"}}}, {"x": {"y": {}}}, [],
        {"Bad Name": {}}, {"x": None}, {"x": {"connectors": {"docs": {"type": "local", "root": "other"}}}},
        {"x": {"keys": {"azure": {"from": "env", "name": "Y"}}}},
    ],
}  # fmt: skip


@given(
    st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in ENTRIES.items()}),
    st.sampled_from(["", "unknown: 1\n", "runs: {plugins: [x]}\n"]),
)
@example({}, "")
@example({"connectors": ENTRIES["connectors"][5], "profiles": {"x": {"connectors": {}}}}, "")
def test_all_doors_agree(sections: Mapping[str, Any], more: str) -> None:
    data = (dump_yaml(sections) if sections else b"") + more.encode()
    if not data:
        data = b"lfs: true\n"
    assert is_taken_by_the_doctor(data) == is_resolved(data), data.decode()


def is_taken_by_the_doctor(data: bytes) -> bool:
    try:
        load_settings(data)
    except SettingsError:
        return False
    return judge_text("strata.yaml", data).findings == ()


def is_resolved(data: bytes) -> bool:
    try:
        resolve(data, {})
    except ConfigurationError:
        return False
    return True
