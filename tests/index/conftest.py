"""What every test of the index may rely on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.index.federating import asked, data, desk, template, train
from tests.index.opening import close_all

__all__ = ["asked", "data", "desk", "template", "train"]


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_all()
