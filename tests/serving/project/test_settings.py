"""A service's settings in layers: the file, the environment, the command line; all that is wrong at once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from strata_git.contracts.layers import ConfigurationError
from strata_git.errors import UsageError
from strata_git.load import dump_yaml
from strata_git.serving.project.settings import VOCABULARY, Configured, resolve

FILE = "services/churn/service.yaml"
SAID = {"schema": "strata/service/v1", "name": "churn", "model": "churn@production", "api": {"port": 9000}}
WHOLE = ("api.auth.oidc", "build.registry", "drift")
"""Sections that are either said or not."""


def settled(*overrides: str, environ: dict[str, str] | None = None, **said: Any) -> Configured:
    return resolve(dump_yaml({**SAID, **said}), file=FILE, name="churn", environ=environ, overrides=overrides)


def test_every_value_says_where_it_comes_from() -> None:
    environ = {
        "STRATA_SERVICE__API__PORT": "9001", "STRATA_SERVICE__API__LIMITS__ROWS": "7",
        "STRATA_SERVICE__RUNTIME": "{mode: split}", "STRATA_SERVICE__BUILD__IMAGE": "007", "STRATA_SINKS__X": "1",
        "STRATA_SERVICE__LOG__OMIT": "[age]",
    }  # fmt: skip
    told = settled("api.limits.rows=8", "log.percent=5", environ=environ)
    service = told.service
    assert (service.api.port, service.api.limits.rows, service.runtime.mode) == (9001, 8, "split")
    assert (service.build.image, service.log.percent, service.log.omit) == ("007", 5, ("age",))
    assert {key: str(told.origin[key]) for key in ("name", "api.port", "api.limits.rows", "runtime.mode", "lang")} == {
        "name": f"{FILE}:2", "api.port": "environment STRATA_SERVICE__API__PORT",
        "api.limits.rows": "--set api.limits.rows", "runtime.mode": "environment STRATA_SERVICE__RUNTIME",
        "lang": "default",
    }  # fmt: skip
    assert told.origin["name"].plain() == {"from": "file", "file": FILE, "line": 2}
    assert told.warnings == ()
    assert settled().origin.keys() == told.origin.keys() | {"log.omit"}


@pytest.mark.parametrize(
    ("variable", "warning"),
    [
        ("STRATA_SERVICE__API__PROT", "did you mean STRATA_SERVICE__API__PORT?"),
        ("STRATA_SERVICE__APY__PORT", "did you mean STRATA_SERVICE__API__PORT?"),
        ("STRATA_SERVICE__GEOLOGY", "names no setting, and changes nothing"),
        ("STRATA_SERVICE__NAME", "'name' is read from the file alone"),
    ],
)
def test_variables_that_change_nothing_are_told(variable: str, warning: str) -> None:
    told = settled(environ={variable: "1"})
    assert len(told.warnings) == 1
    assert warning in told.warnings[0]
    assert told.values == settled().values


def test_all_that_is_wrong_is_told_at_once_with_its_place() -> None:
    with pytest.raises(ConfigurationError) as error:
        settled(
            "api.limits.rows=many", api={"prot": 1}, runtime={"mode": "spilt"}, environ={"STRATA_SERVICE__LOG": "x"}
        )
    assert [str(one) for one in error.value.complaints] == [
        f"{FILE}:5: api.prot: is not a key of this contract (did you mean 'port'?)",
        f"{FILE}:7: runtime.mode: must be 'local', 'split' or 'compose' (did you mean 'split'?)",
        "environment STRATA_SERVICE__LOG: log: must be a mapping",
        "--set api.limits.rows: api.limits.rows: must be a whole number",
    ]
    assert error.value.message == "4 settings are wrong:"
    assert len(error.value.hint.splitlines()) == 4


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": "other"}, f"{FILE}:2: name: is 'other', the directory is 'churn'"),
        ({"api": {"host": "0.0.0.0"}}, f"{FILE}:5: api.host: '0.0.0.0' can be reached from other machines"),
        ({"model": "churn"}, "must name a version or a stage, such as churn@production"),
    ],
)
def test_what_the_file_alone_must_not_say(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        settled(**said)


def test_what_is_no_settings_at_all() -> None:
    for data in (b"- a\n", b"a: [", b"a: 1\na: 2\n"):
        with pytest.raises(ConfigurationError, match=FILE):
            resolve(data, file=FILE, name="churn", overrides=["api.port=1"])
    for text in ("api.port", "=1", "name=x", "schema=1"):
        with pytest.raises(UsageError):
            settled(text)


def test_other_machines_may_ask_where_keys_are_asked_for() -> None:
    keys = [{"name": "billing", "sha256": "0" * 64}]
    assert settled("api.host=0.0.0.0", api={"auth": {"keys": keys}}).service.api.auth.required
    assert settled("api.host=127.0.0.2").service.api.host == "127.0.0.2"


def test_the_reference_names_every_setting_with_its_default() -> None:
    """docs/services.md is the reference of service.yaml: no key more, no key less."""
    text = (Path(__file__).parents[3] / "docs/services.md").read_text()
    told = dict(re.findall(r"^\| `([a-z_.]+)` \| ([^|]*) \|", text, re.MULTILINE))
    known: set[str] = set()
    waiting: list[tuple[str, ...]] = [("",)]
    while waiting:
        path = waiting.pop()
        keys = () if ".".join(path[1:]) in WHOLE else VOCABULARY.keys_at(path[1:]) or ()
        known |= set() if keys else {".".join(path[1:])}
        waiting += [(*path, key) for key in keys]
    assert told.keys() == known
    bare = resolve(dump_yaml({key: SAID[key] for key in ("schema", "name", "model")}), file=FILE, name="churn").values
    for key, default in told.items():
        value: Any = bare
        for part in key.split("."):
            value = value[part] if isinstance(value, dict) else None
        assert default == ("required" if key in ("schema", "name", "model") else default), key
        assert default == "required" or json.loads(default) == value, key
