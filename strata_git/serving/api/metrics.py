"""Figures for Prometheus, counted on the event loop in plain numbers and made into its families when it asks.

Labels are bounded: routes are templates of paths, statuses those that we answer, models the versions that were served.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from strata_git.errors import MissingExtra

if TYPE_CHECKING:
    from strata_git.serving.prediction_log import PredictionLog
    from strata_git.serving.router import Router

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histogram of seconds."""
_MODELS = 64
_OTHER = "other"


class Metrics:
    """A service's counters; a registry of its own, so that services in one process do not mix."""

    def __init__(self, service: str, router: Router, log: PredictionLog | None = None) -> None:
        """Raises MissingExtra."""
        try:
            import prometheus_client
        except ImportError:
            raise MissingExtra("serve", "Serving a model") from None
        self._service = service
        self._router = router
        self._log = log
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, list[int]] = {}
        self._sums: Counter[str] = Counter()
        self._calls: Counter[tuple[str, str]] = Counter()
        self._call_seconds: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()
        self._answers: Counter[str] = Counter()
        self.in_flight = 0
        self._registry = prometheus_client.CollectorRegistry(auto_describe=False)
        self._registry.register(_Collector(self._collected))
        prometheus_client.ProcessCollector(registry=self._registry)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request came to its end."""
        self._requests[route, status] += 1
        counts = self._seconds.get(route)
        if counts is None:
            counts = self._seconds[route] = [0] * (len(BUCKETS) + 1)
        counts[bisect_left(BUCKETS, seconds)] += 1
        self._sums[route] += seconds  # type: ignore[assignment]

    def observe(self, method: str, code: str, seconds: float) -> None:
        """A call over gRPC came to its end, with that status code."""
        self._calls[method, code] += 1
        self._call_seconds[method] += seconds  # type: ignore[assignment]

    def predicted(self, reference: str, rows: int) -> None:
        """A version answered so many rows."""
        if reference not in self._answers and len(self._answers) >= _MODELS:
            reference = _OTHER
        self._answers[reference] += 1
        self._rows[reference] += rows

    def rendered(self, accept: str) -> tuple[bytes, str]:
        """All of it in the format that is accepted (Prometheus' text, or OpenMetrics), and its media type."""
        from prometheus_client import exposition
        from prometheus_client.openmetrics import exposition as openmetrics

        if "application/openmetrics-text" in accept:
            made: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            return made, "application/openmetrics-text; version=1.0.0; charset=utf-8"
        plain: bytes = exposition.generate_latest(self._registry)
        return plain, "text/plain; version=0.0.4; charset=utf-8"

    def _collected(self) -> Iterator[Any]:
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        requests = CounterMetricFamily("strata_requests", "Requests that were answered.", labels=["route", "status"])
        for (route, status), count in self._requests.items():
            requests.add_metric([route, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily("strata_request_seconds", "Seconds until the answer.", labels=["route"])
        for route, counts in self._seconds.items():
            seconds.add_metric([route], _cumulated(counts), self._sums[route])
        yield seconds
        calls = CounterMetricFamily("strata_grpc_calls", "Calls over gRPC.", labels=["method", "code"])
        for (method, code), count in self._calls.items():
            calls.add_metric([method, code], count)
        yield calls
        spent = CounterMetricFamily("strata_grpc_seconds", "Seconds of calls over gRPC, summed.", labels=["method"])
        for method, total in self._call_seconds.items():
            spent.add_metric([method], total)
        yield spent
        for name, words, counted in (
            ("strata_predictions", "Requests that a version answered.", self._answers),
            ("strata_prediction_rows", "Rows that a version answered.", self._rows),
        ):
            family = CounterMetricFamily(name, words, labels=["model"])
            for reference, count in counted.items():
                family.add_metric([reference], count)
            yield family
        yield GaugeMetricFamily("strata_requests_in_flight", "Requests under way.", value=self.in_flight)
        backend = self._router.current
        yield GaugeMetricFamily("strata_model_loaded", "Whether a model is there to answer.", value=backend is not None)
        if backend is not None:
            info = InfoMetricFamily("strata_model", "The version in force.")
            told = {name.removeprefix("strata-"): value for name, value in backend.provenance.headers().items()}
            info.add_metric([], {"service": self._service, **told})
            yield info
        yield self._shadows()
        if self._log is not None:
            log = CounterMetricFamily("strata_prediction_log", "Requests for the prediction log.", labels=["fate"])
            for fate, count in self._log.counts().items():
                log.add_metric([fate], count)
            yield log

    def _shadows(self) -> Any:
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily("strata_shadow", "Requests shown to a shadow.", labels=["model", "outcome"])
        for reference, counts in list(self._router.shadow_counts.items())[:_MODELS]:
            for outcome in ("agreed", "differed", "failed", "skipped"):
                family.add_metric([reference, outcome], getattr(counts, outcome))
        return family


class _Collector:
    """What prometheus-client asks."""

    def __init__(self, collected: Callable[[], Iterator[Any]]) -> None:
        self._collected = collected

    def collect(self) -> Iterator[Any]:
        yield from self._collected()


def _cumulated(counts: list[int]) -> list[tuple[str, float]]:
    bounds = [*map(str, BUCKETS), "+Inf"]
    total = 0
    made = []
    for bound, count in zip(bounds, counts, strict=True):
        total += count
        made.append((bound, float(total)))
    return made
