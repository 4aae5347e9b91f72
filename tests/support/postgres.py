"""A PostgreSQL of our own: a new cluster in a short directory, reached by a socket there, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.environment import short_directory

NOBODY = "nobody"
"""Who owns the cluster where the tests run as root, whom PostgreSQL refuses."""


@dataclass(frozen=True)
class Postgres:
    """A running cluster with one database, `tracking`."""

    socket: Path
    user: str

    @property
    def uri(self) -> str:
        """As SQLAlchemy names it, by psycopg 3."""
        return f"postgresql+psycopg://{self.user}@/tracking?host={self.socket}"

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows, by another client than the one that wrote them."""
        import psycopg

        with psycopg.connect(host=str(self.socket), user=self.user, dbname="tracking") as connection:
            return connection.execute(sql.encode()).fetchall()


def program(name: str) -> Path:
    """One of PostgreSQL's programs."""
    there = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    found = there[-1] if there else Path(shutil.which(name) or "")
    assert found.is_file(), f"{name} is missing; run: scripts/postgres.sh"
    return found


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A new cluster for as long as the block lasts."""
    base = short_directory()
    root = os.geteuid() == 0
    user = NOBODY if root else pwd.getpwuid(os.geteuid()).pw_name
    if root:
        shutil.chown(base, NOBODY)
    who: dict[str, Any] = {"user": NOBODY, "group": pwd.getpwnam(NOBODY).pw_gid, "extra_groups": []} if root else {}
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": str(base)}
    data = base / "data"
    made = subprocess.run(
        [program("initdb"), "--auth=trust", "--no-sync", "--encoding=UTF8", f"--username={user}", "-D", data],
        env=environ, cwd=base, capture_output=True, text=True, check=False, **who,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    log = open(base / "log", "wb")  # noqa: SIM115 - the server's for as long as it runs
    server = subprocess.Popen(
        [program("postgres"), "-D", data, "-k", base, "-c", "listen_addresses=", "-c", "fsync=off"],
        env=environ, cwd=base, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **who,
    )  # fmt: skip
    try:
        _create(base, user, server)
        yield Postgres(base, user)
    finally:
        server.terminate()
        server.wait(timeout=60)
        log.close()
        shutil.rmtree(base, ignore_errors=True)


def _create(socket: Path, user: str, server: subprocess.Popen[bytes]) -> None:
    import psycopg

    for _ in range(300):
        assert server.poll() is None, (socket / "log").read_text()
        try:
            with psycopg.connect(host=str(socket), user=user, dbname="postgres", autocommit=True) as connection:
                connection.execute("CREATE DATABASE tracking")
                return
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise AssertionError("PostgreSQL does not answer: " + (socket / "log").read_text())
