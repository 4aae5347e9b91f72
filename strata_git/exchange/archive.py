"""A deterministic .tar.gz of a directory: sorted names, one time, nobody's user; made beside its name and renamed."""

from __future__ import annotations

import gzip
import os
import tarfile
from pathlib import Path

from strata_git.repo.files import fsync_dir, unwritable

_EXECUTABLE = frozenset({"verify.sh"})


def write_archive(source: Path, target: Path, *, folder: str, when: int) -> int:
    """Pack the files of `source` below `folder/` into `target` and return its size; `when` is Unix time.

    Raises StrataError where the disk refuses; nothing half written is left.
    """
    temporary = target.with_name(f".{target.name[:100]}.{os.getpid()}.tmp")
    try:
        with open(temporary, "xb") as raw:
            with (
                gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
            ):
                for path in sorted(path for path in source.rglob("*") if path.is_file()):
                    _add(tar, path, f"{folder}/{path.relative_to(source).as_posix()}", when)
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise unwritable(target, error) from None
    finally:
        temporary.unlink(missing_ok=True)
    fsync_dir(target.parent)
    return target.stat().st_size


def _add(tar: tarfile.TarFile, path: Path, name: str, when: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = path.stat().st_size
    member.mtime = when
    member.mode = 0o755 if path.name in _EXECUTABLE else 0o644
    with path.open("rb") as stream:
        tar.addfile(member, stream)
