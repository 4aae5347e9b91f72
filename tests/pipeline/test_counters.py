"""What is counted, by many threads, and how it is told."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest

from strata_git.pipeline.observability.counters import Counters


def test_counts_become_a_line_metrics_and_a_record() -> None:
    counters = Counters()
    assert (str(counters), counters.metrics()) == ("nothing to do", {})
    counters.add(documents=3, chunks=1041, input_tokens=8213, output_tokens=40, retries=2)
    counters.spend(0.1)
    counters.spend("0.2")
    counters.spend(Decimal("1E+1"), "EUR")
    assert str(counters) == (
        "3 documents, 1,041 chunks, 2 retries, 8,213 tokens in, 40 tokens out, 0.3 USD, 10 EUR"
    )  # fmt: skip
    assert counters.metrics() == {
        "documents": 3, "chunks": 1041, "input_tokens": 8213, "output_tokens": 40, "retries": 2,
        "cost_usd": 0.3, "cost_eur": 10.0,
    }  # fmt: skip
    assert counters.tokens == {"input": 8213, "output": 40, "total": 8253}
    assert counters.costs == {"USD": Decimal("0.3"), "EUR": Decimal(10)}
    assert counters["chunks"] == 1041


def test_threads_lose_nothing() -> None:
    counters = Counters()

    def work() -> None:
        for _ in range(500):
            counters.add(calls=1)
            counters.spend("0.001")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (counters["calls"], counters.costs["USD"]) == (2000, Decimal(2))


def test_what_is_not_counted() -> None:
    counters = Counters()
    with pytest.raises(ValueError, match="nothing is counted as docs"):
        counters.add(chunks=1, docs=1)
    assert counters["chunks"] == 0
