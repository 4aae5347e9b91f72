"""What an api-service has beside it: other versions, which say themselves who they are, and whoever started it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from typing import TYPE_CHECKING

from strata_git.serving import oip, oip_about

if TYPE_CHECKING:
    from strata_git.contracts.service import Limits
    from strata_git.serving.backends.backend import Backend
    from strata_git.serving.supervision.server import Stopping

_PAUSE = 0.2


async def beside(target: str, limits: Limits) -> Backend:
    """The version that the model-service at `target` has; it is waited for."""
    import grpc.aio

    from strata_git.serving.backends.grpc import GrpcBackend

    async with grpc.aio.insecure_channel(target) as channel:
        while True:
            call = oip.Client(channel).call("ServerMetadata", oip.message("ServerMetadataRequest"), timeout=5)
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call
                provenance, signature = oip_about.read_metadata(await call.trailing_metadata())
                return GrpcBackend(target, signature, provenance, limits=limits)
            await asyncio.sleep(_PAUSE)


def end_with_parent(stopping: Stopping) -> None:
    """Where standard input is a pipe, which says nothing, its end is that of whoever started this: stop then, too."""
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(0).st_mode):
            asyncio.get_running_loop().add_reader(0, _heard, stopping)


def _heard(stopping: Stopping) -> None:
    with contextlib.suppress(BlockingIOError):
        if not os.read(0, 4096):
            asyncio.get_running_loop().remove_reader(0)
            stopping.ask()
