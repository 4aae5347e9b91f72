"""For an environment that has none of our extras: tests of what an extra brings are left out, by name, nothing else is.

    pytest -p tests.support.core_alone

A test is left out when the module that Python misses comes with an extra of ours (or with what only tests of extras
use). Any other missing module is a fault: the core would need what it does not declare.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

EXTRAS = frozenset({
    "alembic", "anyio", "check_jsonschema", "cryptography", "duckdb", "fastapi", "fsspec", "google", "grpc",
    "grpc_tools", "huggingface_hub", "joblib", "jsonschema", "jwt", "kubernetes_validate", "matplotlib", "mlflow",
    "numpy", "onnx", "onnxruntime", "openapi_spec_validator", "openpyxl", "optuna", "orjson", "pandas",
    "picklescan", "prometheus_client", "pyarrow", "ray", "sarif_kit", "skl2onnx", "sklearn", "skops", "sqlalchemy",
    "starlette", "structlog", "uvicorn",
})  # fmt: skip
"""What our extras, and the tests of what they bring, import."""


def _missing(error: BaseException | None) -> str | None:
    """The extra's module that Python misses, if that is what went wrong."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in EXTRAS:
            return error.name
        error = error.__cause__ or error.__context__
    return None


class _LeftOut(pytest.Module):
    """A module of tests that imports what only an extra brings has no tests here."""

    def collect(self) -> Any:
        try:
            return super().collect()
        except self.CollectError as error:
            if _missing(error) is None:
                raise
            return []


def pytest_pycollect_makemodule(module_path: Any, parent: Any) -> pytest.Module:
    return _LeftOut.from_parent(parent, path=module_path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    missing = _missing(call.excinfo.value) if call.excinfo else None
    if missing is not None:
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {missing} comes with an extra")
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What asks a program for an extra is marked so, because its own answer is all that a test sees."""
    left_out = [item for item in items if item.get_closest_marker("extras")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]
