"""What a pipeline did, in numbers: documents, chunks, calls, retries, tokens, cost."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from decimal import Decimal

NAMES = ("documents", "skipped", "chunks", "calls", "cached", "retries", "input_tokens", "output_tokens", "exported")
"""What is counted; each is told, and becomes a metric of the run, once it is more than nothing."""
_TOLD = {
    "documents": "documents", "skipped": "skipped", "chunks": "chunks", "calls": "calls", "cached": "from the cache",
    "retries": "retries", "input_tokens": "tokens in", "output_tokens": "tokens out", "exported": "rows exported",
}  # fmt: skip


class Counters:
    """Counts that any thread may add to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(NAMES, 0)
        self._costs: dict[str, Decimal] = {}

    def add(self, **counts: int) -> None:
        """Count: `add(documents=1, chunks=12)`. Raises ValueError for a name that is not of `NAMES`."""
        unknown = counts.keys() - self._counts.keys()
        if unknown:
            raise ValueError(f"nothing is counted as {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
        with self._lock:
            for name, count in counts.items():
                self._counts[name] += count

    def spend(self, amount: Decimal | float | str, currency: str = "USD") -> None:
        """Add to the cost; sums are exact to what was said."""
        with self._lock:
            self._costs[currency] = self._costs.get(currency, Decimal(0)) + Decimal(str(amount))

    def __getitem__(self, name: str) -> int:
        with self._lock:
            return self._counts[name]

    @property
    def costs(self) -> Mapping[str, Decimal]:
        """What was spent, by currency."""
        with self._lock:
            return dict(self._costs)

    @property
    def tokens(self) -> dict[str, int]:
        """As a run's record has them: `input`, `output`, `total`."""
        with self._lock:
            taken, given = self._counts["input_tokens"], self._counts["output_tokens"]
        return {"input": taken, "output": given, "total": taken + given}

    def metrics(self) -> dict[str, float]:
        """All that is more than nothing, as metrics of a run; cost as `cost_usd`."""
        with self._lock:
            found: dict[str, float] = {name: count for name, count in self._counts.items() if count}
            return found | {f"cost_{currency.lower()}": float(cost) for currency, cost in self._costs.items()}

    def __str__(self) -> str:
        """In one line: `3 documents, 41 chunks, 41 calls, 2 retries, 8,213 tokens in, 0.0123 USD`."""
        with self._lock:
            parts = [f"{count:,} {_TOLD[name]}" for name, count in self._counts.items() if count]
            parts += [f"{cost.normalize():f} {currency}" for currency, cost in self._costs.items()]
        return ", ".join(parts) or "nothing to do"
