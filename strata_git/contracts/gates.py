"""The grammar of metric gates: `test_f1 >= 0.9`, `test_f1 not worse than production by more than 0.01` (TFC-0009 6.15).

What a gate decides is `integrity.metric_gates`' business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

_NUMBER = r"[-+]?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})(?:[eE][-+]?[0-9]{1,2})?"
_METRIC = r"[A-Za-z_][A-Za-z0-9_./@:-]{0,99}"
_GATE = re.compile(
    rf"(?P<metric>{_METRIC}) *(?:"
    rf"(?P<sign>>=|<=|>|<) *(?P<bound>{_NUMBER})"
    rf"|not worse than production(?: by more than (?P<tolerance>{_NUMBER}))?"
    r")(?: with n *>= *(?P<n>[1-9][0-9]{0,11}))?"
)
PATTERN = re.sub(r"\?P<\w+>", "?:", _GATE.pattern)
"""The grammar as one regular expression, for a JSON Schema."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on one metric.

    `sign` is `>=`, `>`, `<=`, `<` with `bound`, or `""`: then the version in production is the measure, `bound` is by
    how much it may be worse (None: the metric's own tolerance). `least` is the smallest sample count that counts.
    """

    text: str
    metric: str
    sign: str
    bound: Decimal | None
    least: int | None = None


def parse_gate(text: str) -> Gate:
    """Read a gate. Raises ValueError with the rest of a sentence."""
    from decimal import Decimal

    match = _GATE.fullmatch(text)
    if match is None:
        raise ValueError(
            "must be a condition such as 'test_f1 >= 0.9' or 'test_f1 not worse than production by more than 0.01'"
        )
    number = match["bound"] or match["tolerance"]
    bound = Decimal(number) if number is not None else None
    if match["tolerance"] is not None and bound is not None and bound < 0:
        raise ValueError("must not tolerate less than nothing")
    return Gate(text, match["metric"], match["sign"] or "", bound, int(match["n"]) if match["n"] else None)
