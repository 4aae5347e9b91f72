"""From verified bytes to a model that answers: which files a version is loaded from, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from strata_git.serving.backends.local import Model, OnnxModel, SkopsModel
from strata_git.serving.columns import Signature
from strata_git.serving.own_code import OwnCode, OwnModel

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Loadable:
    """What is loaded: the main file's `format` and `name`, and the bytes of all `files` that are handed over.

    These are the one file, or every file of the version where code of its own loads it.
    """

    format: str
    name: str
    files: Mapping[str, bytes]
    trusted_types: tuple[str, ...] = ()

    @property
    def data(self) -> bytes:
        """The main file's bytes."""
        return self.files[self.name]


def load_model(
    loadable: Loadable, signature: Signature, *,
    code: OwnCode | None = None, threads: int = 1, environ: Mapping[str, str] = _NOTHING,
) -> Model:  # fmt: skip
    """The model; `environ` is that of R's processes, where it is one of R.

    Raises StrataError for what cannot be loaded, MissingExtra where packages are missing.
    """
    if code is not None and code.lang == "r":
        from strata_git.serving.r.model import RModel

        return RModel(loadable.files, code.files, signature, artifact=loadable.name, environ=environ, threads=threads)
    if code is None:
        return _of_format(loadable, signature, threads)
    default = None if code.loads else (lambda: _of_format(loadable, signature, threads))
    return OwnModel(code, signature, loadable.files, format=loadable.format, default=default, threads=threads)


def close_model(model: Model) -> None:
    """Give back what a model holds beside memory: processes, directories."""
    close = getattr(model, "close", None)
    if close is not None:
        close()


def _of_format(loadable: Loadable, signature: Signature, threads: int) -> OnnxModel | SkopsModel:
    if loadable.format == "onnx":
        return OnnxModel(loadable.data, signature, threads=threads)
    return SkopsModel(loadable.data, signature, trusted=loadable.trusted_types, threads=threads)
