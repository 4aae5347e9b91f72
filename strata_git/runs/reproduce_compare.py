"""A run and the same run made again, side by side: what is the same, what is not, and the verdict. Pure.

Figures are compared as the decimal numbers that records show, never as binary fractions: 0.81 is within 0.01 of 0.80.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

IDENTICAL, WITHIN, DIFFERS = "identical", "within tolerance", "differs"
VERDICTS = (IDENTICAL, WITHIN, DIFFERS)
EXIT = {verdict: code for code, verdict in enumerate(VERDICTS)}

_FIRST = ("python", "implementation", "platform", "machine")
_NOT_SURROUNDINGS = frozenset(
    {"schema", "packages", "code", "seed", "git", "commit", "branch", "remote", "user", "dirty", "tree", "resources"}
)
"""Parts of system.json that are no surroundings, or are compared by themselves."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric, as recorded and as it came out again (None: it was not measured).

    `tolerance` is the difference that does not count; `given` says that whoever compares chose it, and not the run.
    """

    name: str
    recorded: float | None
    reproduced: float | None
    tolerance: float = 0.0
    given: bool = False

    @property
    def same(self) -> bool:
        """Whether both are the same number."""
        return self.recorded is not None and self.recorded == self.reproduced

    @property
    def within(self) -> bool:
        """Whether the difference does not count."""
        if self.recorded is None or self.reproduced is None:
            return False
        distance = abs(Decimal(repr(self.recorded)) - Decimal(repr(self.reproduced)))
        return distance <= Decimal(repr(self.tolerance))


@dataclass(frozen=True, slots=True)
class Content:
    """What a file held: SHA-256 (64 hex digits) and size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A file, an input or a part of the surroundings that is not the same; `""` stands for what is not there.

    `used` tells that the run itself had it in hand: a package that it imported.
    """

    name: str
    recorded: str
    reproduced: str
    used: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that was compared. `same_artifacts` and `same_inputs` count what is the same byte for byte."""

    figures: tuple[Figure, ...]
    same_artifacts: int
    artifacts: tuple[Difference, ...]
    same_inputs: int
    inputs: tuple[Difference, ...]
    code: tuple[Difference, ...]
    environment: tuple[Difference, ...]

    @property
    def verdict(self) -> str:
        """`identical`: all figures and files are the same. `within tolerance`: the figures differ by no more than is
        tolerated, from the same inputs and code, and the same files were made, whatever their bytes. Else `differs`.

        Surroundings never change the verdict: they explain it.
        """
        if self.inputs or self.code or not all(figure.within for figure in self.figures):
            return DIFFERS
        if not self.artifacts and all(figure.same for figure in self.figures):
            return IDENTICAL
        other_files = any(not one.recorded or not one.reproduced for one in self.artifacts)
        return DIFFERS if other_files or not self.figures else WITHIN


def compare_figures(
    recorded: Mapping[str, float], reproduced: Mapping[str, float], declared: Mapping[str, float],
    given: Mapping[str, float],
) -> tuple[Figure, ...]:  # fmt: skip
    """Every metric of either side. `declared` are the run's own tolerances; `given` ones (`*` and `?` stand for other
    characters) take their place."""
    rows = []
    for name in sorted({*recorded, *reproduced}):
        chosen = [tolerance for pattern, tolerance in given.items() if fnmatchcase(name, pattern)]
        tolerance = chosen[-1] if chosen else declared.get(name, 0.0)
        rows.append(Figure(name, recorded.get(name), reproduced.get(name), tolerance, bool(chosen)))
    return tuple(rows)


def compare_files(recorded: Mapping[str, Content], reproduced: Mapping[str, Content]) -> tuple[Difference, ...]:
    """The files that are not the same, in bytewise order, told by digest and size."""
    names = sorted({*recorded, *reproduced})
    differing = (name for name in names if recorded.get(name) != reproduced.get(name))
    return tuple(Difference(name, _told(recorded.get(name)), _told(reproduced.get(name))) for name in differing)


def compare_texts(recorded: Mapping[str, str], reproduced: Mapping[str, str]) -> tuple[Difference, ...]:
    """What is not the same under one name."""
    names = sorted({*recorded, *reproduced})
    pairs = ((name, recorded.get(name, ""), reproduced.get(name, "")) for name in names)
    return tuple(Difference(*pair) for pair in pairs if pair[1] != pair[2])


def compare_surroundings(
    recorded: Mapping[str, object], reproduced: Mapping[str, object], imported: Callable[[str], bool]
) -> tuple[Difference, ...]:
    """What differs between two system.json: Python and platform first, then packages.

    Of those the ones come first of which the run `imported` something (it is asked with the name, in lower case).
    """
    before, after = dict(_flat(recorded)), dict(_flat(reproduced))
    rows = compare_texts(before, after)
    first = [row for name in _FIRST for row in rows if row.name == name]
    rest = [row for row in rows if row.name not in _FIRST]
    packages = compare_texts(_packages(recorded), _packages(reproduced))
    marked = [Difference(row.name, row.recorded, row.reproduced, imported(row.name)) for row in packages]
    return (*first, *rest, *sorted(marked, key=lambda row: (not row.used, row.name)))


def _flat(facts: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in facts.items():
        if not prefix and key in _NOT_SURROUNDINGS:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", _text(value)


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_text(each)}" for key, each in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_text(each) for each in value)
    return str(value)


def _packages(facts: Mapping[str, object]) -> dict[str, str]:
    listed = facts.get("packages")
    return {str(name).lower(): str(value) for name, value in listed.items()} if isinstance(listed, Mapping) else {}


def _told(content: Content | None) -> str:
    return f"sha256:{content.sha256} ({content.bytes} bytes)" if content else ""
