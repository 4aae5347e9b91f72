"""The files of an ejected service: what is written, and whether a tree still is what it should be."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError, printable
from strata_git.load import Unloadable, dump_json, dump_yaml, load_json
from strata_git.serving import oip
from strata_git.serving.eject.stubs import GRPC, MESSAGES, PROTO, grpc_module, judge_stubs, messages_module
from strata_git.serving.image.entry import PORT, USER

if TYPE_CHECKING:
    from strata_git.serving.gate import Loaded
    from strata_git.serving.own_code import OwnCode
    from strata_git.serving.project.project import Project

DIRECTORY = "ejected"
"""Below a service's directory: where its ejected form goes unless another place is named."""
INTERFACE, MODEL, OWN = "model-interface", "model-service/model", "model-service/own"
RECORD = "model.json"
_SHIPPED = (
    "README.md", "api-service/Containerfile", "api-service/app.py", "model-interface/tensors.py",
    "model-service/Containerfile", "model-service/server.py", "tests/test_service.py",
)  # fmt: skip
REQUIRED = (
    *_SHIPPED, "api-service/requirements.txt", "compose.yaml", f"{INTERFACE}/{GRPC}", f"{INTERFACE}/{MESSAGES}",
    f"{INTERFACE}/{PROTO}", f"{MODEL}/{RECORD}", "model-service/requirements.txt",
)  # fmt: skip
"""What an ejected service consists of, beside its model and its golden predictions."""
READ_LIMIT = 1 << 30
_API = ("fastapi", "uvicorn", "grpcio", "protobuf", "numpy")
_MODEL = {
    "onnx": ("grpcio", "protobuf", "numpy", "onnxruntime"),
    "skops": ("grpcio", "protobuf", "numpy", "skops", "scikit-learn", "pandas"),
}
_RUFF = b"""# For this project, wherever it lies.
line-length = 120
exclude = ["model-interface/oip_pb2.py", "model-interface/oip_pb2_grpc.py"]
lint.select = ["B", "E", "F", "UP"]
"""
_SOCKETS = "/run/service"
_SCRATCH = "/tmp:size=64m,mode=1777"  # noqa: S108 - in the container


def ejected_files(
    project: Project, loaded: Loaded, model: Mapping[str, bytes], *,
    code: OwnCode | None = None, trusted_types: tuple[str, ...] = (),
) -> dict[str, bytes]:  # fmt: skip
    """Path -> bytes. `model` are the version's verified files that are loaded (all of them where `code` loads them),
    `code` is the service's own, `trusted_types` are those of the version's metadata.

    Raises StrataError for a service in R, and for a model that neither we nor the service's own code can load and ask.
    """
    _refuse(project, loaded, code)
    from strata_git.resources import folder

    provenance, shipped = loaded.provenance, folder("templates") / DIRECTORY
    words = _words(project, loaded)
    files = {name: _filled((shipped / name).read_text(), words) for name in _SHIPPED}
    files |= {
        f"{INTERFACE}/{PROTO}": oip.proto_text().encode(),
        f"{INTERFACE}/{MESSAGES}": messages_module().encode(),
        f"{INTERFACE}/{GRPC}": grpc_module().encode(),
        f"{MODEL}/{RECORD}": dump_json(_record(loaded, model, trusted_types)),
        **{f"{MODEL}/{name}": data for name, data in model.items()},
        "api-service/requirements.txt": _requirements(_API),
        "model-service/requirements.txt": _needed(provenance.format, code),
        "compose.yaml": dump_yaml(_compose(project)),
        "ruff.toml": _RUFF,
    }
    files |= {f"{OWN}/{name}": data for name, data in (code.files if code is not None else {}).items()}
    if project.golden is not None and project.golden.is_for(provenance.model, provenance.version):
        files["tests/golden.json"] = project.golden.text
    return dict(sorted(files.items()))


def write_ejected(files: Mapping[str, bytes], directory: Path) -> None:
    """Write the files into `directory`. Raises StrataError, before anything is written, where one is there already."""
    from strata_git.repo.files import unwritable, write_file

    for name in files:
        for place in (directory / name, *(directory / one for one in Path(name).parents)):
            if place.is_symlink() or (place == directory / name and place.exists()):
                raise StrataError(
                    f"{printable(str(place))} is there already; nothing was written.",
                    hint="Name a directory of its own: --out DIR",
                )
    for name, data in files.items():
        try:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable((directory / name).parent, error) from None
        write_file(directory / name, data, durable=False)


def read_ejected(directory: Path) -> dict[str, bytes] | None:
    """The plain files of an ejected service, by path; None where there is none. Links are not followed."""
    if directory.is_symlink() or not directory.is_dir():
        return None
    found = {}
    for folder, folders, names in os.walk(directory):
        folders[:] = [one for one in folders if not one.startswith(".") and one != "__pycache__"]
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= READ_LIMIT:
                found[path.relative_to(directory).as_posix()] = path.read_bytes()
    return found


def judge_ejected(files: Mapping[str, bytes]) -> list[str]:
    """What is wrong with an ejected service, in sentences: files that are missing, stubs that do not match the .proto,
    a model that is not the one its record names. What else its owner changes is the owner's affair."""
    wrong = [f"{name} is missing" for name in REQUIRED if name not in files]
    interface = [f"{INTERFACE}/{name}" for name in (PROTO, MESSAGES, GRPC)]
    if all(name in files for name in interface):
        wrong += judge_stubs(*(files[name].decode(errors="replace") for name in interface))
    if f"{MODEL}/{RECORD}" in files:
        wrong += _judge_model(files)
    return wrong


def _judge_model(files: Mapping[str, bytes]) -> list[str]:
    try:
        said = load_json(files[f"{MODEL}/{RECORD}"]).value
    except Unloadable as error:
        return [f"{MODEL}/{RECORD}: {error}"]
    listed = said.get("files") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(listed, dict) or said.get("file") not in listed:
        return [f"{MODEL}/{RECORD} names no file"]
    wrong = []
    for name, digest in listed.items():
        data = files.get(f"{MODEL}/{name}")
        if data is None:
            wrong.append(f"{MODEL}/{printable(str(name))} is missing")
        elif hashlib.sha256(data).hexdigest() != digest:
            wrong.append(f"{MODEL}/{printable(str(name))} is not the file that {RECORD} names")
    return wrong


def _refuse(project: Project, loaded: Loaded, code: OwnCode | None) -> None:
    if project.service.lang == "r":
        raise StrataError(
            f"{project.name} is a service of R: what answers there is model.R and a small server of git-strata.",
            hint=f"git strata service build {project.name} makes an image of both.",
        )
    if code is not None and "predict" not in code.defines:
        raise StrataError(
            f"The code of {project.name} has load() and no predict(): nobody would know how to ask what it loads.",
            hint="Write predict(model, rows) beside it.",
        )
    if loaded.provenance.format not in _MODEL and not (code is not None and code.loads):
        raise StrataError(f"Models of the format {printable(loaded.provenance.format)} are not ejected.")


def _words(project: Project, loaded: Loaded) -> dict[str, str]:
    said = project.service
    return {
        "NAME": project.name, "MODEL": loaded.provenance.model, "REFERENCE": loaded.provenance.reference,
        "DESCRIPTION": _harmless(said.description or f"Answers with {loaded.provenance.reference}."),
        "PYTHON": f"{sys.version_info.major}.{sys.version_info.minor}",
        "RELATIVE": repr(float(said.golden.relative)), "ABSOLUTE": repr(float(said.golden.absolute)),
    }  # fmt: skip


def _harmless(text: str) -> str:
    """A description as it can stand between quotes in a program: whatever it holds, it ends nothing there."""
    return printable(" ".join(text.split())).replace("\\", "/").replace('"', "'")[:1000]


def _filled(text: str, words: Mapping[str, str]) -> bytes:
    for name, value in words.items():
        text = text.replace(f"@@{name}@@", value)
    return text.encode()


def _record(loaded: Loaded, model: Mapping[str, bytes], trusted_types: tuple[str, ...]) -> dict[str, object]:
    signature = loaded.model.signature
    sides = {
        side: [
            {"name": one.name, "type": one.type, "datatype": one.datatype, "inner": list(one.inner)} for one in fields
        ]
        for side, fields in (("inputs", signature.inputs), ("outputs", signature.outputs))
    }
    return {
        "schema": "strata/ejected-model/v1",
        "file": loaded.provenance.file,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(model.items())},
        "format": loaded.provenance.format,
        "trusted_types": list(trusted_types),
        **sides,
        "provenance": loaded.provenance.headers(),
    }


def _needed(form: str, code: OwnCode | None) -> bytes:
    """What the model-service needs, and what its own code says beside that."""
    more = code.files.get("requirements.txt", b"") if code is not None else b""
    return _requirements(_MODEL.get(form, ("grpcio", "protobuf", "numpy"))) + more


def _requirements(names: tuple[str, ...]) -> bytes:
    """The packages at the versions that are installed here; where one is not, whichever there is."""
    lines = []
    for name in names:
        try:
            lines.append(f"{name}=={metadata.version(name)}\n")
        except metadata.PackageNotFoundError:
            lines.append(f"{name}\n")
    return "".join(lines).encode()


def _compose(project: Project) -> dict[str, Any]:
    hard: dict[str, Any] = {
        "user": f"{USER}:{USER}", "read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"],
        "tmpfs": [_SCRATCH], "volumes": [f"sockets:{_SOCKETS}"], "restart": "unless-stopped",
    }  # fmt: skip
    health = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/v2/health/ready', timeout=3)"
    keys = {one.name: one.sha256 for one in project.service.api.auth.keys}
    api = {
        "build": {"context": ".", "dockerfile": "api-service/Containerfile"},
        **hard,
        "environment": {
            "MODEL": f"unix:{_SOCKETS}/model.sock",
            **({"KEYS": dump_json(keys).decode().replace("\n", "").replace("  ", "")} if keys else {}),
        },
        "ports": [f"127.0.0.1:{project.service.api.port}:{PORT}"],
        "depends_on": ["model-service"],
        "healthcheck": {"test": ["CMD", "python", "-c", health], "interval": "10s", "timeout": "5s", "retries": 3},
        "stop_grace_period": "15s",
    }
    model = {
        "build": {"context": ".", "dockerfile": "model-service/Containerfile"},
        **hard,
        "command": ["--listen", f"unix:{_SOCKETS}/model.sock"],
        "network_mode": "none",
        "stop_grace_period": "15s",
    }
    owned = f"uid={USER},gid={USER},mode=0700"
    return {
        "name": project.name,
        "services": {"api-service": api, "model-service": model},
        "volumes": {"sockets": {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": owned}}},
    }
