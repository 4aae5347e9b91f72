"""Images on paper: the Containerfile, the list of packages, layouts, and what engines are told. No engine is needed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from strata_git.contracts.service import Build
from strata_git.errors import StrataError
from strata_git.serving.checked import Subject
from strata_git.serving.image import engines, packages
from strata_git.serving.image.containerfile import Recipe, labels_of, render
from strata_git.serving.image.context import Context
from strata_git.serving.image.entry import API_SOCKET, MODEL, api_arguments
from strata_git.serving.image.forwarding import Forwarder
from strata_git.serving.image.judge import judge
from strata_git.serving.image.layout import Layer, write_artifact, write_image
from strata_git.serving.image.lint import judge_build
from strata_git.serving.image.pair import run_words
from strata_git.serving.provenance import Provenance

SOURCE = Provenance(
    model="forest", version="v1", stage="production", commit="c" * 40, run="run-2026-01-05-001",
    digest=f"sha256:{'d' * 64}", signer='A "quoted" $NAME\nand more', format="onnx",
)  # fmt: skip
R_PACKAGES = ("r-base-core", "r-cran-jsonlite", "r-cran-plumber")
LABELS = labels_of(SOURCE, service="forest", bundle="sha256:b", commit="e" * 40, created="2026-01-05T12:00:00Z")


@pytest.mark.parametrize(
    ("source", "system", "words"),
    [
        ("index", (), "--require-hashes"),
        ("wheelhouse", (), "--no-index --find-links /tmp/wheels --require-hashes"),
        ("installed", (), "COPY packages /srv/strata/packages"),
        ("index", R_PACKAGES, "r-base-core r-cran-jsonlite r-cran-plumber"),
    ],
)
def test_the_containerfile_is_what_linters_want(source: str, system: tuple[str, ...], words: str) -> None:
    recipe = Recipe("example/base:1", source, LABELS, "sha256:b", with_hashes=True, system=system,
                    arguments={"PIP_INDEX_URL": "https://example.org/simple"})  # fmt: skip
    text = render(recipe)
    assert words in text
    assert ("RUN" in text) == (source != "installed" or bool(system))  # what is copied needs no container to be built
    assert 'strata.signer="A \\"quoted\\" \\$NAME and more"' in text  # a name is a name, in one line
    assert "USER 65532:65532" in text
    assert "example.org" not in text  # a value is no part of the file
    if source != "installed":
        assert text.count("ARG PIP_INDEX_URL") == 2
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, "-"], input=text, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_what_is_wrong_with_settings() -> None:
    build = Build(image="example/a:1", base="python", args={"API_TOKEN": "x", "PLAIN": "https://a:b@example.org"})
    found = [(one.severity, one.key) for one in judge_build(build)]
    assert found == [
        ("error", "build.args.API_TOKEN"), ("error", "build.args.PLAIN"), ("warning", "build.base"),
        ("warning", "build.image"),
    ]  # fmt: skip
    assert not list(judge_build(Build(base=f"python@sha256:{'0' * 64}", coverage=95)))
    with pytest.raises(ValueError, match="stays in the image"):
        Build(args={"PLAIN": "${secret:registry}"})


def test_what_service_check_says_of_images(tmp_path: Path) -> None:
    def told(**build: object) -> list[tuple[str, str]]:
        service = SimpleNamespace(build=Build.model_validate(build))
        project: Any = SimpleNamespace(service=service, directory=tmp_path, path="services/forest", name="forest")
        nothing: Any = None
        environ = {"PATH": str(Path(sys.executable).parent)}
        subject = Subject(nothing, nothing, project, None, environ, datetime.now(UTC))
        return [(one.verdict, one.message) for one in judge(subject)]

    assert told(packages="installed", base="example/base:1") == []  # hadolint finds nothing either
    ((verdict, message),) = told(packages="wheelhouse")
    assert (verdict, message) == ("warning", "build.wheelhouse: there is no services/forest/wheelhouse")
    assert told(base="python")[0][0] == "warning"


def test_packages_are_exactly_those_that_are_here(tmp_path: Path) -> None:
    found = {one.name: one.version for one in packages.needed(format_="onnx")}
    assert {"fastapi", "grpcio", "numpy", "onnxruntime", "pydantic", "pyyaml", "starlette"} <= found.keys()
    assert not {"gitpython", "pygit2", "scikit-learn", "pytest"} & found.keys()
    two = (packages.Package("a-b", "1"), packages.Package("c", "2"))
    sums = [f"sha256:{digit * 64}" for digit in "01"]
    first = f"A_b==1 ; python_version > '3' \\\n    --hash={sums[0]} \\\n    --hash={sums[1]}\n"
    lock = f"{first}c==3 \\\n    --hash={sums[0]}\n"
    assert packages.hashed(two, lock) == ("a-b==1\nc==2\n", False)  # all of them, or pip takes none
    text, with_hashes = packages.hashed(two[:1], lock)
    assert (with_hashes, text) == (True, f"a-b==1 \\\n    --hash={sums[0]} \\\n    --hash={sums[1]}\n")
    with pytest.raises(StrataError, match="no wheel of a-b==1"):
        packages.from_wheels(two, tmp_path)
    for name in ("a_b-1-py3-none-any.whl", "c-2-py3-none-any.whl"):
        (tmp_path / name).write_bytes(b"wheel")
    text, files = packages.from_wheels(two, tmp_path)
    assert text.count(f"--hash=sha256:{hashlib.sha256(b'wheel').hexdigest()}") == len(files) == 2
    assert packages.requirements_of("-r other.txt\nnumpy>=2  # why\n\nc==2 --hash=sha256:0\n") == ("numpy>=2", "c==2")
    with pytest.raises(StrataError, match="no-such-thing is not installed"):
        packages.needed_by("no-such-thing>=1")
    listed = dict(packages.installed_files(packages.needed_by("pyyaml")))
    assert "yaml/__init__.py" in listed
    assert not [name for name in listed if name.endswith((".pyc", "RECORD", "direct_url.json"))]


def test_a_layout_is_the_same_bytes_again_and_its_base_is_verified(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    (bundle / "model").mkdir(parents=True)
    (bundle / "model" / "model.onnx").write_bytes(b"model")
    digests = set()
    for name in ("one", "two"):
        os.utime(bundle / "model" / "model.onnx", (len(digests), 0))
        digests.add(write_artifact(tmp_path / name, bundle, name="forest:v1", labels=LABELS, epoch=7))
    assert len(digests) == 1
    layers = [Layer(bundle, "/srv/strata/bundle", "bundle")]
    config = {"Env": {"B": "2"}, "User": "65532:65532"}
    made = write_image(tmp_path / "on", tmp_path / "one", layers, name="x:1", config=config, labels=LABELS, epoch=7)
    blobs = tmp_path / "on" / "blobs" / "sha256"
    manifest = json.loads((blobs / made.removeprefix("sha256:")).read_bytes())
    said = json.loads((blobs / manifest["config"]["digest"].removeprefix("sha256:")).read_bytes())
    assert (len(manifest["layers"]), len(said["rootfs"]["diff_ids"]), said["config"]["Env"]) == (2, 2, ["B=2"])
    assert not (blobs / "partial").exists()
    altered = tmp_path / "one" / "blobs" / "sha256" / manifest["layers"][0]["digest"].removeprefix("sha256:")
    altered.write_bytes(altered.read_bytes() + b"x")
    with pytest.raises(StrataError, match="has other bytes than its name says"):
        write_image(tmp_path / "no", tmp_path / "one", layers, name="x:1", config=config, labels=LABELS, epoch=7)
    with pytest.raises(StrataError, match="is no OCI image layout"):
        write_image(tmp_path / "not", bundle, layers, name="x:1", config=config, labels=LABELS, epoch=7)


FAKE = """#!/bin/sh
echo "$0 $*" >>{log}
case "$*" in version*) exit {daemon} ;; esac
while [ $# -gt 0 ]; do
  case $1 in
    --iidfile) printf '{id}' >"$2" ;;
    --digestfile) printf 'sha256:pushed' >"$2" ;;
    --authfile) stat -c %a "$2" >>{log}; cat "$2" >>{log}.auth ;;
    --config) stat -c %a "$2/config.json" >>{log}; cat "$2/config.json" >>{log}.auth ;;
  esac
  shift
done
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the engines that are made up say how they were called."""
    return tmp_path / "log"


def engines_at(place: Path, log: Path, *names: str, daemon: int = 0) -> Mapping[str, str]:
    place.mkdir()
    for name in names:
        program = place / name
        program.write_text(FAKE.format(log=log, daemon=daemon, id="0" * 64))
        program.chmod(0o755)
    for name in ("sh", "stat", "cat"):
        found = shutil.which(name)
        assert found
        (place / name).symlink_to(found)
    return {"PATH": str(place)}


def test_the_engine_that_is_found(tmp_path: Path, log: Path) -> None:
    every = engines_at(tmp_path / "all", log, "buildah", "podman", "docker")
    assert engines.find_engine("auto", every).name == "docker"
    assert engines.find_engine("buildah", every).name == "buildah"
    silent = engines_at(tmp_path / "silent", log, "docker", "buildah", daemon=1)
    assert engines.find_engine("auto", silent).name == "buildah"  # a client without its daemon is no engine
    with pytest.raises(StrataError, match="docker does not answer"):
        engines.find_engine("auto", silent, to_run=True)
    none = engines_at(tmp_path / "none", log)
    with pytest.raises(StrataError, match="No container engine was found") as error:
        engines.find_engine("auto", none)
    assert "--oci DIR" in error.value.hint


def test_what_an_engine_is_told(tmp_path: Path, log: Path) -> None:
    recipe = Recipe("example/base:1", "installed", LABELS, "sha256:b", arguments={"A": "1"})
    context = Context(tmp_path, recipe, 7, "sha256:b", ())
    for name, environ in (("podman", engines_at(tmp_path / "p", log, "podman")),
                          ("docker", engines_at(tmp_path / "d", log, "docker"))):  # fmt: skip
        engine = engines.find_engine(name, environ)
        assert engines.build(engine, context, ["example/forest:v1"], tell=lambda _: None) == f"sha256:{'0' * 64}"
        digest = engines.push(engine, "example.org/f:v1", tell=lambda _: None, username="u", password="s3cret")
        assert digest == ("sha256:pushed" if name == "podman" else "")
    told = log.read_text()
    assert "--timestamp 7" in told  # podman
    assert "--build-arg A=1 --build-arg SOURCE_DATE_EPOCH=7" in told  # docker
    assert "s3cret" not in told
    assert told.count("\n600\n") == 2  # nobody else reads the file
    said = Path(f"{log}.auth").read_text()
    assert said.count('"example.org": {"auth": "dTpzM2NyZXQ="}') == 2
    assert engines.registry_of("example/forest:v1") == "docker.io"


def test_containers_get_no_network_and_write_nowhere(tmp_path: Path) -> None:
    from strata_git.contracts.service import Resources

    engine = engines.Engine("podman", "/bin/podman", {})
    words = run_words(engine, "example/forest:v1", MODEL, name="n", service="forest", sockets=tmp_path,
                      resources=Resources(cpu="500m", memory="512Mi"))  # fmt: skip
    line = " ".join(words)
    assert "--network none --read-only --cap-drop all --security-opt no-new-privileges --user 65532:65532" in line
    assert "--cpus 0.5 --memory 512m" in line
    assert api_arguments(socket=API_SOCKET)[-2:] == ["--uds", API_SOCKET]


def test_a_port_is_joined_to_a_socket_and_says_why_it_is_not(tmp_path: Path) -> None:
    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"heard " + await reader.readline())
        writer.close()

    async def asked(port: int, text: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(text)
        writer.write_eof()
        told = await reader.read()
        writer.close()
        return told

    async def tried() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        forwarder = Forwarder(listening)
        forwarder.reason = "it was demoted"
        await forwarder.start()
        refused = await asked(port, b"GET / HTTP/1.1\r\n\r\n")
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 2\r\n" in refused
        assert b"no model is ready: it was demoted" in refused
        server = await asyncio.start_unix_server(answered, str(tmp_path / "s"))
        forwarder.target = tmp_path / "s"
        assert await asked(port, b"hello\n") == b"heard hello\n"
        server.close()
        (tmp_path / "s").unlink(missing_ok=True)
        assert (await asked(port, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
        await forwarder.stop(1)

    asyncio.run(tried())
