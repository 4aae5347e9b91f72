"""Settings in the environment and on the command line: names find their keys, values their types, typos a warning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import strata_git
from strata_git.errors import UsageError
from strata_git.pipeline.overrides import SHORT, SWITCHES
from strata_git.pipeline.settings import ConfigurationError, resolve
from tests.pipeline.test_settings import TEXT, told


@pytest.mark.parametrize(
    ("variable", "raw", "key", "value"),
    [
        ("STRATA_INFERENCE__DEFAULT__MAX_TOKENS", "7", "inference.default.max_tokens", 7),
        ("STRATA_CONNECTORS__MY_DOCS__BUCKET", "007", "connectors.my-docs.bucket", "007"),  # a key with a hyphen
        ("STRATA_CONNECTORS__DOCS__ROOT", "12", "connectors.docs.root", "12"),  # the contract wants text
        ("STRATA_CONNECTORS__DOCS__INCLUDE", "**/*.md", "connectors.docs.include", ["**/*.md"]),  # no YAML
        ("STRATA_CONNECTORS__DOCS__INCLUDE", "[a, b]", "connectors.docs.include", ["a", "b"]),
        ("STRATA_OBSERVABILITY__PROMPTS_IN_TRACES", "true", "observability.prompts_in_traces", True),
        ("STRATA_RETENTION", "{keep_days: 4}", "retention.keep_days", 4),  # a whole section
        ("STRATA_LOG_LEVEL", "debug", "observability.log_level", "debug"),
        ("STRATA_LOG_FORMAT", "json", "observability.log_format", "json"),
        ("STRATA_INFERENCE__DEFAULT__RETRY__ATTEMPTS", "9", "inference.default.retry.attempts", 9),
        ("STRATA_OBSERVABILITY__SERVICE", "a: b", "observability.service", "a: b"),
    ],
)
def test_what_a_variable_says(variable: str, raw: str, key: str, value: object) -> None:
    configured = resolve(TEXT, {variable: raw})
    assert told(configured, key) == (value, f"environment {variable}")
    assert configured.warnings == ()


def test_an_entry_can_be_made_of_variables_alone() -> None:
    environ = {"STRATA_SINKS__EXTRA__TYPE": "files", "STRATA_SINKS__EXTRA__PATH": "./x"}
    assert resolve(TEXT, environ).pipelines.sinks["extra"].type == "files"
    environ = {"STRATA_SINKS__OUT__TYPE": "s3", "STRATA_SINKS__OUT__BUCKET": "results"}  # another than in the file
    assert resolve(TEXT, environ).pipelines.sinks["out"].type == "s3"


def test_the_long_name_goes_over_the_short_one() -> None:
    environ = {"STRATA_LOG_FORMAT": "human", "STRATA_OBSERVABILITY__LOG_FORMAT": "json"}
    assert told(resolve(None, environ), "observability.log_format")[0] == "json"


def test_an_empty_variable_says_nothing() -> None:
    assert told(resolve(TEXT, {"STRATA_INFERENCE__DEFAULT__MODEL": ""}), "inference.default.model")[0] == "echo"


@pytest.mark.parametrize(
    ("variable", "warning"),
    [
        ("STRATA_INFERENCE__DEFAULT__TEMPRTURE", "did you mean STRATA_INFERENCE__DEFAULT__TEMPERATURE?"),
        ("STRATA_CONECTORS__DOCS__ROOT", "did you mean STRATA_CONNECTORS__DOCS__ROOT?"),
        ("STRATA_LOG_FORMT", "did you mean STRATA_LOG_FORMAT?"),
        ("STRATA_OBSERVABILTY", "did you mean STRATA_OBSERVABILITY?"),
        ("STRATA_GEOLOGY", "settings are named like STRATA_RETENTION__KEEP_DAYS"),
        ("STRATA_GEOLOGY__AGE", "names no setting"),
        ("STRATA_CONNECTORS__DOCS__ROOT__DEEP", "names no setting"),
        ("STRATA_RETENTION____KEEP_DAYS", "names no setting"),
        ("STRATA_LFS", "read from strata.yaml alone"),
        ("STRATA_SIGNING__REQUIRED", "read from strata.yaml alone"),
        ("STRATA_PROFILES__LOCAL__RETENTION", "read from strata.yaml alone"),
    ],
)
def test_a_variable_that_names_no_setting_is_told_and_changes_nothing(variable: str, warning: str) -> None:
    configured = resolve(TEXT, {variable: "1"})
    assert len(configured.warnings) == 1
    assert configured.warnings[0].startswith(f"environment {variable}")
    assert warning in configured.warnings[0]
    assert configured.values == resolve(TEXT, {}).values


def test_variables_of_others_are_no_affair_of_ours() -> None:
    environ = {"PATH": "/bin", "STRATAGEM__X": "1", "STRATA_DEBUG": "1", "STRATA_TRUST_PIN": "x", "strata_x__y": "1"}
    environ |= {"STRATA_SERVICE__API__PORT": "9000"}  # a service's
    assert resolve(TEXT, environ).warnings == ()


def test_every_variable_of_ours_is_known() -> None:
    """One that is read somewhere must not be told as a mistake."""
    read = set()
    for path in Path(strata_git.__file__).parent.rglob("*.py"):
        read |= set(re.findall(r"[\"'`]STRATA_([A-Z][A-Z_]*[A-Z])[\"'`]", path.read_text()))
    assert {name for name in read if "__" not in name} - SWITCHES - set(SHORT) == set()


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("inference.default.temperature=0.25", "inference.default.temperature", 0.25),
        ("connectors.my-docs.prefix=2026", "connectors.my-docs.prefix", "2026"),
        ("connectors.docs.exclude=**/*.tmp", "connectors.docs.exclude", ["**/*.tmp"]),
        ("sinks.out={type: s3, bucket: b}", "sinks.out.bucket", "b"),
        ("observability.service = my service ", "observability.service", "my service"),
    ],
)
def test_what_an_option_says(text: str, key: str, value: object) -> None:
    assert told(resolve(TEXT, {}, [text]), key) == (value, f"--set {text.partition('=')[0].strip()}")


@pytest.mark.parametrize(
    "text", ["a", "=1", "a..b=1", "lfs=true", "profiles.local.retention.keep_days=1", "runs.plugins=[x]"]
)
def test_options_that_cannot_be_meant(text: str) -> None:
    with pytest.raises(UsageError) as error:
        resolve(TEXT, {}, [text])
    assert error.value.exit_code == 64


def test_an_option_is_told_without_its_value() -> None:
    with pytest.raises(ConfigurationError) as error:
        resolve(TEXT, {}, ["inference.default.passwrd=hunter2hunter2"])
    assert "hunter2" not in error.value.message + error.value.hint
