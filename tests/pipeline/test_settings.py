"""The settings of pipelines: four layers, every value with its origin, everything that is wrong told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from strata_git.errors import StrataError, UsageError
from strata_git.pipeline.settings import ConfigurationError, Configured, load, resolve

TEXT = b"""\
lfs: false
keys:
  azure: {from: env, name: AZURE_KEY}
connectors:
  docs: {type: local, root: ./docs}
  my-docs:
    type: s3
    bucket: archive
inference:
  default: {provider: offline, model: echo, temperature: 0.5}
sinks:
  out: {type: files, path: ./out}
profiles:
  aws_lambda:
    sinks:
      out: {type: s3, bucket: results}
    execution: {jobs: 2}
  staging:
    inference: {default: {model: other}}
"""


def told(configured: Configured, key: str) -> tuple[object, str]:
    """A value, and where it comes from."""
    value: object = configured.values
    for part in key.split("."):
        assert isinstance(value, dict)
        value = value[part]
    return value, str(configured.origin[key])


def refused(data: bytes | None, environ: dict[str, str] | None = None, *options: str) -> list[str]:
    """All that is wrong."""
    with pytest.raises(ConfigurationError) as error:
        resolve(data, environ or {}, options)
    return [str(complaint) for complaint in error.value.complaints]


def test_each_layer_goes_over_the_one_below() -> None:
    environ = {"STRATA_INFERENCE__DEFAULT__MODEL": "from-environment", "STRATA_EXECUTION__JOBS": "3"}
    options = ["execution.jobs=4"]
    assert told(resolve(TEXT, {}), "inference.default.model") == ("echo", "strata.yaml:10")
    assert told(resolve(TEXT, {}, (), "staging"), "inference.default.model") == (
        "other", "strata.yaml:19 (profile staging)"
    )  # fmt: skip
    assert told(resolve(TEXT, environ, (), "staging"), "inference.default.model") == (
        "from-environment", "environment STRATA_INFERENCE__DEFAULT__MODEL"
    )  # fmt: skip
    configured = resolve(TEXT, environ, options, "aws_lambda")
    assert told(configured, "execution.jobs") == (4, "--set execution.jobs")
    assert told(configured, "execution.scratch") == ("/tmp/strata", "profile aws_lambda")
    assert told(configured, "observability.log_format") == ("json", "profile aws_lambda")
    assert told(configured, "inference.default.temperature") == (0.5, "strata.yaml:10")
    assert told(configured, "inference.default.timeout_s") == (60, "default")
    assert told(configured, "lfs") == (False, "strata.yaml:1")
    assert told(configured, "signing.required") == (False, "default")


def test_an_entry_that_says_another_type_takes_nothing_over() -> None:
    sink = resolve(TEXT, {}, (), "aws_lambda").pipelines.sinks["out"]
    assert (sink.type, getattr(sink, "bucket", None), hasattr(sink, "path")) == ("s3", "results", False)


def test_every_value_has_an_origin() -> None:
    from strata_git.pipeline.settings import leaves

    configured = resolve(TEXT, {"STRATA_LOG_LEVEL": "debug"}, ["retention.keep_days=3"], "aws_lambda")
    assert {".".join(map(str, path)) for path, _ in leaves(configured.values)} == set(configured.origin)


@pytest.mark.parametrize("name", ["local", "aws_lambda", "aws_batch"])
def test_shipped_profiles_are_sound_and_need_no_file(name: str) -> None:
    assert resolve(None, {}, (), name).profile == name
    assert resolve(None, {"STRATA_PROFILE": name}).profile == name


def test_the_local_profile_is_in_force_where_none_is_chosen() -> None:
    text = b"profiles: {local: {retention: {keep_days: 9}}}\n"
    assert told(resolve(text, {}), "retention.keep_days") == (9, "strata.yaml:1 (profile local)")
    assert told(resolve(text, {"STRATA_PROFILE": "aws_batch"}), "retention.keep_days") == (None, "default")


@pytest.mark.parametrize(("environ", "option"), [({"STRATA_PROFILE": "aws_lamda"}, None), ({}, "aws_lamda")])
def test_a_profile_that_is_not_there(environ: dict[str, str], option: str | None) -> None:
    with pytest.raises(UsageError, match="no such profile") as error:
        resolve(TEXT, environ, (), option)
    assert "Did you mean 'aws_lambda'?" in error.value.hint
    assert "staging" in error.value.hint


def test_all_that_is_wrong_in_the_file_is_told_at_once() -> None:
    text = b"""\
singning: {required: true}
lfs: perhaps
keys:
  azure: {from: env, name: X}
connectors:
  docs: {type: locl, root: ./docs}
inference:
  default: {provider: offline, model: echo, temprture: 0.5}
  large: {provider: openai, model: gpt, key: azur}
  named: {provider: offline, model: "${secret:azrue}"}
sinks:
  out: {type: files, path: ./out, format: jsnl}
  old:
    type: s3
profiles:
  aws_lambda:
    sinks: {out: {type: files, path: ./out, formot: csv}}
    sink: {}
"""
    said = refused(text)
    expected = [
        ("strata.yaml:1: unknown setting 'singning'", "signing"),
        ("strata.yaml:2: 'lfs' must be true or false", ""),
        ("strata.yaml:6: connectors.docs: 'type' must be one of", "local"),
        ("strata.yaml:8: inference.default.temprture: is not a key of this contract", "temperature"),
        ("strata.yaml:9: inference.large.key: the section keys has no 'azur'", "azure"),
        ("strata.yaml:10: inference.named.model: the section keys has no 'azrue'", "azure"),
        ("strata.yaml:12: sinks.out.format: must be", "jsonl"),
        ("strata.yaml:13: sinks.old.bucket: is missing", ""),
        ("strata.yaml:17: sinks.out.formot: is not a key of this contract", "format"),
        ("strata.yaml:18: profiles.aws_lambda.sink: is no section", "sinks"),
    ]
    assert len(said) == len(expected), "\n".join(said)
    for line, (start, meant) in zip(said, expected, strict=True):
        assert line.startswith(start), line
        assert line.endswith(f"(did you mean '{meant}'?)") if meant else "did you mean" not in line


def test_several_mistakes_are_one_error_with_a_line_each() -> None:
    with pytest.raises(ConfigurationError) as error:
        resolve(b"lfs: 1\nsigning: {required: 2}\n", {})
    assert error.value.message == "2 settings are wrong:"
    assert error.value.hint.splitlines() == [
        "strata.yaml:1: 'lfs' must be true or false", "strata.yaml:2: 'signing.required' must be true or false"
    ]  # fmt: skip
    assert error.value.exit_code == 3


def test_what_is_wrong_beside_the_file_names_where_it_was_said() -> None:
    environ = {"STRATA_INFERENCE__DEFAULT__TEMPERATURE": "hot", "STRATA_LOG_FORMAT": "jsno"}
    typo = "inference.default.max_tkens"
    said = refused(TEXT, environ, f"{typo}=5", "sinks.out.type=s3")
    assert sorted(said) == sorted(
        [
            "environment STRATA_LOG_FORMAT: observability.log_format: must be 'human' or 'json' (did you mean 'json'?)",
            "environment STRATA_INFERENCE__DEFAULT__TEMPERATURE: inference.default.temperature: must be a number",
            f"--set {typo}: {typo}: is not a key of this contract (did you mean 'max_tokens'?)",
            "--set sinks.out.type: sinks.out.bucket: is missing",
        ]
    )


@pytest.mark.parametrize("data", [b"a: &a 1\n", b"- x\n", b"\xff", b"lfs: [\n", b"lfs: true\nlfs: true\n"])
def test_a_file_that_cannot_be_read_is_one_complaint(data: bytes) -> None:
    assert len(refused(data)) == 1


def test_the_file_is_read_at_the_root_and_no_link_is_followed(tmp_path: Path) -> None:
    assert load(tmp_path, {}).pipelines.connectors == {}
    (tmp_path / "real.yaml").write_bytes(TEXT)
    (tmp_path / "strata.yaml").symlink_to("real.yaml")
    with pytest.raises(StrataError, match="cannot be read"):
        load(tmp_path, {})
    (tmp_path / "strata.yaml").unlink()
    (tmp_path / "strata.yaml").mkdir()
    with pytest.raises(StrataError, match="is no file"):
        load(tmp_path, {})
    (tmp_path / "strata.yaml").rmdir()
    (tmp_path / "strata.yaml").write_bytes(TEXT)
    assert set(load(tmp_path, {}).pipelines.connectors) == {"docs", "my-docs"}
