"""What every test of the exchange may rely on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.index.opening import close_all


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_all()
