"""A service as a process of its own, for who is rude to it: `python -m tests.serving.api.server`.

It says its port, and answers for a model of every type of column until its standard input ends.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import numpy as np

from strata_git.serving.api import connection
from strata_git.serving.api.app import create_app
from strata_git.serving.backends.in_process import InProcess
from strata_git.serving.columns import Table
from strata_git.serving.errors import PredictionError
from strata_git.serving.logs import service_log
from strata_git.serving.router import Router
from strata_git.serving.supervision.server import bind, http_server, run_loop
from tests.serving.api.application import PROVENANCE, service
from tests.serving.models import MIXED

LIMITS = {"body_bytes": 1 << 20, "rows": 1000, "deadline_ms": 1500}
HEAD_SECONDS = 1.0
CARD = "# A card\n\n<script>window.strataCanary.push(1)</script>\n\n[go](javascript:alert(1)) **fine**\n"


class Mixed:
    """score = age + the first of trace; a plan called `broken` is what it fails at."""

    format = "test"
    signature = MIXED

    def predict(self, table: Table) -> dict[str, Any]:
        columns = table.columns
        if "broken" in columns["plan"].tolist():
            raise PredictionError("The model could not answer (KeyError).")
        return {"score": columns["age"].astype(np.float64) + columns["trace"][:, 0]}


async def main() -> None:
    """Serve until the standard input ends."""
    listening = bind("127.0.0.1", 0)
    said = service(api={"limits": LIMITS})
    app = create_app(said, Router(InProcess(Mixed(), PROVENANCE, limits=said.api.limits)), card=CARD)
    server = http_server(app, drain=1)
    print(listening.getsockname()[1], flush=True)

    async def ended() -> None:
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = True

    watching = asyncio.create_task(ended())
    await server.serve(sockets=[listening])
    watching.cancel()


if __name__ == "__main__":
    if "--plain" in sys.argv:  # as where httptools is not installed
        sys.modules["uvicorn.protocols.http.httptools_impl"] = None  # type: ignore[assignment]
    connection.HEAD_SECONDS = HEAD_SECONDS
    with service_log("json"):
        run_loop(main)
