"""The plugin `command`: what is declared is what comes out; what a program does besides is ended, told, or refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata_git.authoring.model import create_model
from strata_git.config import Settings
from strata_git.errors import StrataError, UsageError
from strata_git.load import dump_yaml
from strata_git.runs.execute import RunOutcome
from strata_git.runs.interrupt import held
from strata_git.runs.plugins.command import CommandPlugin
from strata_git.runs.plugins.command_metrics import Measured
from strata_git.runs.plugins.command_params import MetricsSaid
from strata_git.runs.plugins.command_text import Values, expanded
from strata_git.runs.plugins.command_watch import marked
from strata_git.runs.spec import RunSpec
from tests.runs.running import opened, perform, record_of
from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import sealed, short_directory

TRAIN = """\
import json, os, pathlib, sys
table, model, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = pathlib.Path(table).read_text().splitlines()
for step in range(3):
    print(f"strata-metric train_loss={1 / (step + 1)} step={step}")
pathlib.Path(model).write_bytes(b"weights %d" % (seed + len(rows)))
place = pathlib.Path(os.environ["STRATA_ARTIFACT_DIR"])
(place / "metrics.json").write_text(json.dumps({"test": {"f1": 0.75, "rows": len(rows)}, "name": "x", "good": True}))
(place / "about.json").write_text(json.dumps({"framework_version": "1.0", "inputs": [{"name": "x", "type": "float64"}],
    "outputs": [{"name": "y", "type": "int64"}]}))
print("seed", os.environ["STRATA_SEED"], os.environ["PYTHONHASHSEED"], file=sys.stderr)
"""
MODEL = {"file": "model", "format": "binary", "framework": "toys", "description": "about.json"}


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RepositoryBuilder]:
    home, base = short_directory(), tmp_path_factory.mktemp("command")
    made = create(base / "repo", sealed(base, home, os.environ), "--initial-branch=main").workspace()
    made.dataset("iris")
    made.write({"train.py": TRAIN, "data/table.csv": "a\n1\n2\n"})
    made.commit("Begin")
    yield made
    home.rmdir()


def told(*argv: str, inputs: dict[str, str] | None = None, dataset: str = "", **params: Any) -> RunSpec:
    return RunSpec("cmd", "command", 7, dataset, {}, {"argv": list(argv), **params}, {}, inputs or {})


def python(code: str, *argv: str, **params: Any) -> RunSpec:
    return told("${python}", "-c", code, *argv, **params)


def trained(**params: Any) -> RunSpec:
    argv = ["${python}", "train.py", "${inputs.table}", "${outputs.model}", "${seed}"]
    return told(*argv, inputs={"table": "file:data/table.csv"}, outputs={"model": "out/model.bin"}, **params)


def log_of(repo: RepositoryBuilder, done: RunOutcome) -> str:
    return repo.read(f"{done.path}/logs.txt").decode()


def sums(repo: RepositoryBuilder, done: RunOutcome) -> dict[str, str]:
    return {one.path: one.sha256 for one in record_of(repo, done.id).outputs}


def test_a_script_is_run_measured_and_recorded_and_repeats_exactly(repo: RepositoryBuilder) -> None:
    spec = trained(metrics={"file": "metrics.json", "lower": ["*_loss"], "tolerance": 0.1}, model=MODEL)
    done, again = perform(repo, spec), perform(repo, spec)
    assert done.status == "succeeded", done.error
    assert dict(done.metrics) == {"train_loss": 1 / 3, "test.f1": 0.75, "test.rows": 3}
    assert sums(repo, done) == sums(repo, again)
    assert repo.read(f"{done.path}/artifacts/out/model.bin") == b"weights 10"
    (given,) = record_of(repo, done.id).inputs or record_of(repo, done.id).files  # type: ignore[attr-defined]
    assert "table" in str(given)
    log = log_of(repo, done)
    assert " err seed 7 7" in log
    assert " out strata-metric train_loss=1.0 step=0" in log
    assert "no numbers, left out: name, good" in log


def test_a_model_is_made_of_what_the_script_says(repo: RepositoryBuilder) -> None:
    done = perform(repo, trained(metrics={"file": "metrics.json", "lower": ["train_loss"]}, model=MODEL))
    said = json.loads(repo.read(f"{done.path}/artifacts/model.json"))
    assert said["metrics"]["train_loss"] == {
        "value": 1 / 3, "direction": "lower", "tolerance": 0.0, "split": "train", "n": None,
    }  # fmt: skip
    assert said["metrics"]["test.f1"]["split"] == "test"
    repo.commit("Record")
    made = create_model(opened(repo), Settings(), "toy", done.id)
    assert "model.bin" in made.files
    repo.commit("Add toy")
    repo.strata("doctor").expect(0, 1)


def test_splits_and_lists_become_arguments(repo: RepositoryBuilder) -> None:
    code = "import sys; print('|'.join(sys.argv[1:]))"
    argv = ["${splits.train}", "${params.depths}", "--lr=${params.net.lr}", "$${seed}", "$HOME", "${params.on}"]
    done = perform(repo, python(code, *argv, dataset="iris@v1", depths=[3, 4], net={"lr": 0.5}, on=True))
    assert done.status == "succeeded", done.error
    files = sorted(str(path) for path in (repo.path / "datasets/iris/v1").rglob("*train*") if path.is_file())
    assert f" out {'|'.join([*files, '3', '4', '--lr=0.5', '${seed}', '$HOME', 'true'])}" in log_of(repo, done)


def test_a_failure_says_the_code_and_the_last_words(repo: RepositoryBuilder) -> None:
    done = perform(repo, python("import sys; sys.stderr.write('no oven\\nno cake\\n'); sys.exit(4)"))
    assert (done.status, done.error) == (
        "failed",
        f"{Path(sys.executable).name} ended with exit code 4: no oven | no cake",
    )
    killed = perform(repo, python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
    assert killed.error == f"{Path(sys.executable).name} was ended by SIGSEGV."
    absent = perform(repo, told("no-such-program", "x"))
    assert absent.error == "The program 'no-such-program' was not found on PATH."


def test_what_was_declared_must_be_there(repo: RepositoryBuilder) -> None:
    done = perform(repo, python("pass", outputs={"model": "model.bin"}))
    assert done.error == "The output 'model' (artifacts/model.bin) was not written."
    empty = perform(repo, python("import sys, os; os.mkdir(sys.argv[1])", "${outputs.d}", outputs={"d": "dir/"}))
    assert "is an empty directory" in (empty.error or "")
    unmeasured = perform(repo, python("pass", metrics="m.json"))
    assert "wrote no metrics: artifacts/m.json" in (unmeasured.error or "")


def test_an_infinite_metric_fails_the_run_at_its_end(repo: RepositoryBuilder) -> None:
    code = "print('strata-metric loss=1.0 step=1'); print('strata-metric loss=nan step=2'); print('on it goes')"
    done = perform(repo, python(code))
    assert done.error == "The metric 'loss' ended as nan: not a finite number."
    assert "on it goes" in log_of(repo, done)
    mended = perform(repo, python(code + "; print('strata-metric loss=0.5 step=3'); print('strata-metric broken')"))
    assert mended.metrics == {"loss": 0.5}
    assert "warning: not NAME=VALUE: strata-metric broken" in log_of(repo, mended)


@pytest.mark.parametrize(
    ("name", "text", "metrics"),
    [
        ("m.csv", "step,loss,acc\n1,0.5,\n2,0.25,0.9\n", {"loss": 0.25, "acc": 0.9}),
        ("m.csv", "name,value\nloss,2\n", {"loss": 2}),
        ("m.yaml", "test:\n  f1: 0.5\n", {"test.f1": 0.5}),
        ("m.csv", "loss\nmuch\n", "artifacts/m.csv:2: 'much' is no number."),
        ("m.json", '{"a": 1, "a": 2}', "artifacts/m.json"),
        ("m.json", "[1]", "artifacts/m.json: a mapping of names to numbers is expected."),
    ],
)
def test_metrics_come_as_json_yaml_or_csv(
    tmp_path: Path, name: str, text: str, metrics: dict[str, float] | str
) -> None:
    (tmp_path / name).write_text(text)
    shown: list[Any] = []
    measured = Measured(lambda found, step: shown.append((dict(found), step)), str)
    if isinstance(metrics, str):
        with pytest.raises(StrataError) as caught:
            measured.read(tmp_path / name, name)
        assert caught.value.message.startswith(metrics)
        return
    measured.read(tmp_path / name, name)
    assert {one: metric.value for one, metric in measured.result(MetricsSaid()).items()} == metrics
    if "step" in text:
        assert shown == [({"loss": 0.5}, 1), ({"loss": 0.25, "acc": 0.9}, 2)]


def test_only_listed_variables_pass(repo: RepositoryBuilder) -> None:
    code = "import json, os; print('ENV', json.dumps(sorted(os.environ)), os.environ.get('GREETING'))"
    secret = {
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIK7MDENGbPxRfiCYzzzz",
        "DATA_ROOT": "/data",
        "MY_A": "1",
        "MY_B": "2",
    }
    done = perform(repo, python(code, pass_env=["DATA_ROOT", "MY_*"], env={"GREETING": "hi ${seed}"}), **secret)
    line = next(line for line in log_of(repo, done).splitlines() if " out ENV" in line)
    there = set(json.loads(line[line.index("[") : line.rindex("]") + 1]))
    assert {"PATH", "HOME", "LC_ALL", "DATA_ROOT", "MY_A", "MY_B", "GREETING", "STRATA_SEED"} <= there
    assert not {"AWS_SECRET_ACCESS_KEY", "GNUPGHOME", "GIT_CONFIG_GLOBAL"} & there
    assert line.endswith("hi 7")
    missing = perform(repo, python("pass", pass_env=["NOT_THERE"]))
    assert missing.error == "The variable NOT_THERE, which params.pass_env lets pass, is not set."


def test_a_secret_that_passes_is_masked_wherever_the_program_says_it(repo: RepositoryBuilder) -> None:
    secret = "s3cr3t-of-the-oven-42"
    code = "import os, sys; t = os.environ['OVEN_TOKEN']; print('on', t); sys.stderr.write('off ' + t); sys.exit(1)"
    done = perform(repo, python(code, pass_env=["OVEN_TOKEN"]), OVEN_TOKEN=secret)
    assert (done.error or "").endswith("exit code 1: off ***")
    assert " out on ***" in log_of(repo, done)
    assert all(secret not in path.read_text() for path in (repo.path / done.path).rglob("*") if path.is_file())


def test_files_changed_beside_artifact_dir_are_told(repo: RepositoryBuilder) -> None:
    done = perform(repo, python("open('made-here.txt', 'w').write('x'); open('train.py', 'a').write('#')"))
    try:
        assert done.status == "succeeded", done.error
        assert "changed 2 files of the work tree: made-here.txt, train.py" in log_of(repo, done)
    finally:
        repo.write({"train.py": TRAIN, "made-here.txt": None})
    clean = perform(repo, python("pass"))
    assert "warning" not in log_of(repo, clean)


def test_it_starts_where_it_is_told(repo: RepositoryBuilder) -> None:
    code = "import os; print('HERE', os.getcwd())"
    assert f"HERE {repo.path.resolve()}\n" in log_of(repo, perform(repo, python(code)))
    assert f"HERE {repo.path.resolve()}/data\n" in log_of(repo, perform(repo, python(code, cwd="data")))
    (repo.path / "out").symlink_to("/")
    try:
        assert "is no directory of the work tree" in (perform(repo, python(code, cwd="out")).error or "")
    finally:
        (repo.path / "out").unlink()


MARK = f"oven-{uuid.uuid4()}"
GRANDCHILD = (
    f"import subprocess, sys, time  # {MARK}\n"
    f"code = 'import time; time.sleep(60)  # {MARK}'\n"
    "subprocess.Popen([sys.executable, '-c', code], start_new_session=True)\n"
    "subprocess.Popen([sys.executable, '-c', code])\n"
)


def still_there() -> list[int]:
    """Processes that these tests started: others may run programs at the same time."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and MARK.encode() in Path(f"/proc/{name}/cmdline").read_bytes():
                found.append(int(name))
        except OSError:
            continue
    return found


def test_grandchildren_do_not_survive(repo: RepositoryBuilder) -> None:
    done = perform(repo, python(GRANDCHILD))
    assert done.status == "succeeded", done.error
    assert "2 processes that the program left running were ended" in log_of(repo, done)
    assert still_there() == []


def test_a_program_that_takes_too_long_is_ended(repo: RepositoryBuilder) -> None:
    begun = time.monotonic()
    done = perform(repo, python(GRANDCHILD + "time.sleep(60)", timeout=0.4, grace=0.5))
    assert done.error is not None
    assert "was ended: it took longer than params.timeout, 0.4 s" in done.error
    assert time.monotonic() - begun < 50
    assert still_there() == []


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_request_to_stop_reaches_the_program(repo: RepositoryBuilder, stubborn: bool) -> None:
    handler = "lambda *_: None" if stubborn else "lambda *_: (print('asked to stop', flush=True), sys.exit(0))"
    code = (
        f"import os, signal, sys, time; signal.signal(signal.SIGTERM, {handler})  # {MARK}\n"
        "os.kill(os.getppid(), signal.SIGTERM)\nwhile True: time.sleep(0.05)"
    )
    done = perform(repo, python(code, grace=0.3 if stubborn else 30))
    assert (done.status, done.error) == ("interrupted", "interrupted by SIGTERM")
    assert ("asked to stop" in log_of(repo, done)) != stubborn
    assert still_there() == []


@pytest.mark.heavy
def test_a_program_does_not_outlive_a_run_that_is_killed(repo: RepositoryBuilder, tmp_path: Path) -> None:
    file = tmp_path / "sleep.yaml"
    argv = ["${python}", "-c", GRANDCHILD + "print('ready', flush=True); time.sleep(60)"]
    file.write_bytes(dump_yaml({"plugin": "command", "params": {"argv": argv}}))
    words = ["git-strata", "run", str(file), "--tracking", "none"]
    with subprocess.Popen(words, cwd=repo.path, env=repo.environ, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 30
        while len(still_there()) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        assert len(still_there()) == 3
        process.kill()
    while still_there() and time.monotonic() < end:
        time.sleep(0.05)
    assert still_there() == []


def test_the_runs_own_time_limit_ends_the_program(repo: RepositoryBuilder) -> None:
    done = perform(repo, replace(python(GRANDCHILD + "time.sleep(60)", grace=0.3), resources={"time_limit_s": 0.6}))
    assert "the time limit of 0.6 s" in (done.error or "")
    assert still_there() == []


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "params.argv must list"),
        ({"argv": "python train.py"}, "params.argv must list"),
        ({"argv": ["x", "${inputs.nope}"]}, r"params.argv\[1\]: \$\{inputs.nope\} stands for nothing"),
        ({"argv": ["x", "${HOME}"]}, "stands for nothing"),
        ({"argv": ["x", "${params.m}"], "m": {"a": 1}}, "stands for several values"),
        ({"argv": ["x", "-${params.m}"], "m": [1, 2]}, "stands for 2 values"),
        ({"argv": ["x"], "produces": {}}, "params.produces is neither known nor used"),
        ({"argv": ["x"], "outputs": {"a": "../b"}}, "params.outputs.a must be a path inside"),
        ({"argv": ["x"], "outputs": {"a": "/b"}}, "params.outputs.a must be a path inside"),
        (
            {"argv": ["x"], "outputs": {"a": "model.json"}},
            "params.outputs.a is called as a file that the record itself",
        ),
        ({"argv": ["x"], "cwd": ".."}, "params.cwd must be a path inside"),
        ({"argv": ["x"], "metrics": "m.txt"}, "is of no form that is read"),
        ({"argv": ["x"], "timeout": 0}, "params.timeout must be a number of seconds"),
        ({"argv": ["x"], "env": {"A-B": 1}}, "is no name of a variable"),
        ({"argv": ["x"], "model": {"file": "m"}}, "params.model must say its format"),
        ({"argv": ["x"], "model": {"file": "m", "format": "onnx", "framework": "x"}}, "framework_version"),
        ({"argv": ["x"], "pass_env": 3}, "params.pass_env must be a list"),
    ],
)
def test_a_senseless_experiment_is_refused_before_it_has_a_number(params: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        CommandPlugin().check(RunSpec("cmd", "command", 7, "", {}, params))


@settings(max_examples=60)
@given(st.text("${}a. "), st.text("${}a. "))
def test_what_replaces_a_placeholder_is_never_looked_at_again(text: str, value: str) -> None:
    values = Values({"seed": value}, {})
    before, after = text.replace("${", ""), text.replace("${", "").rstrip("$")
    assert expanded(f"{after}${{seed}}{before}", values, "x") == f"{after}{value}{before}"
    assert expanded(f"$${{{text.replace('$', '')}", values, "x") == f"${{{text.replace('$', '')}"


def test_marks_are_found_in_environments() -> None:
    assert marked("no such mark") == []


def test_a_request_that_comes_while_a_process_is_started_waits_for_it() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with held():
            os.kill(os.getpid(), signal.SIGTERM)
            assert heard == []
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
