"""`python -m benchmarks`: make repositories, measure, print a table and, when asked, write JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import commits, doctor, documents, frameworks, index, integrity, pointers, runs, serving, stages
from benchmarks.measure import Goal, Outcome, Samples, judged, plain
from benchmarks.report import table
from benchmarks.repositories import Place, create

ROWS = (
    "commit", "growth", "gate", "frameworks", "doctor", "pointers", "hash", "verify", "stages", "bulk", "index", "runs",
    "documents", "serving",
)  # fmt: skip
STORED = 15_000
"""Files that Git LFS stores, in the row of pointers."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large and how often: datasets times versions of the large repository, and rounds of each row."""

    datasets: int = 100
    versions: int = 100
    rounds: int = 15

    @property
    def artifacts(self) -> int:
        """Versions in the large repository."""
        return self.datasets * self.versions


QUICK = Scale(20, 25, 7)


@dataclass(slots=True)
class Row:
    """One measure with all that was sampled for it."""

    name: str
    samples: Samples
    outcomes: list[Outcome] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, samples: Samples, goals: Sequence[Goal]) -> Row:
        """Samples with what they say of the goals."""
        return cls(name, samples, judged(goals, samples))


def measured(base: Path, rows: Sequence[str], scale: Scale, dvc: str | None) -> list[Row]:
    """Make what is needed below `base`, and measure the rows asked for."""
    done = []
    if "pointers" in rows:
        files = STORED if scale.artifacts >= STORED // 10 else STORED // 30
        done.append(Row.of("pointers", pointers.check(base, files, min(scale.rounds, 5)), pointers.GOALS))
    quick, rounds = scale.artifacts < Scale().artifacts, min(scale.rounds, 5)
    if "hash" in rows:
        done.append(Row.of("hash", integrity.hashing(base, rounds, quick=quick), integrity.HASH_GOALS))
    if "verify" in rows and (tool := integrity.model_signing()):
        done.append(Row.of("verify", integrity.verifying(base, rounds, tool, quick=quick), integrity.VERIFY_GOALS))
    if "stages" in rows and (gto := stages.gto_program()):
        done.append(Row.of("stages", stages.stages(base / "s", rounds, gto, quick=quick), stages.GOALS))
    if "index" in rows:
        samples, peak = index.growing(base / "i", scale.artifacts, rounds, stages.gto_program(), dvc)
        done.append(Row.of(index.told(samples, peak, scale.artifacts), samples, index.GOALS))
    if "runs" in rows:
        done.append(Row.of("runs", runs.overhead(base, rounds, quick=quick), runs.GOALS))
    done += _document_rows(base / "documents", rows, min(rounds, 3), quick=quick)
    done += _serving_rows(base / "serving", rows, quick=quick)
    if "bulk" in rows:
        files = commits.BULK // 40 if quick else commits.BULK
        done.append(Row.of("bulk", commits.bulk(create(base, "bulk", 2, 2), files, rounds), commits.BULK_GOALS))
    if "frameworks" in rows:
        beside = create(base, "beside", 10, 10)
        done.append(Row.of("frameworks", frameworks.beside(beside, scale.rounds), frameworks.GOALS))
    if not {"doctor", "commit", "growth", "gate"}.isdisjoint(rows):
        done += _large_rows(base, rows, scale, dvc)
    return done


def _document_rows(base: Path, rows: Sequence[str], rounds: int, *, quick: bool) -> list[Row]:
    python = documents.peers_python() if "documents" in rows else None
    if python is None:
        return []
    samples = documents.documents(base, rounds, python, megabytes=10 if quick else 100)
    return [Row.of("documents", samples, documents.GOALS)]


def _serving_rows(base: Path, rows: Sequence[str], *, quick: bool) -> list[Row]:
    python = serving.peers_python() if "serving" in rows else None
    return [Row.of("serving", serving.services(base, python, quick=quick), serving.GOALS)] if python else []


def _large_rows(base: Path, rows: Sequence[str], scale: Scale, dvc: str | None) -> list[Row]:
    many = create(base, "many", scale.datasets, scale.versions)
    _note(f"{scale.artifacts} versions, {scale.artifacts * 10} files: {many.path}")
    done = []
    if "doctor" in rows:
        done.append(Row.of("doctor", doctor.warm(many, scale.artifacts, scale.rounds, dvc), doctor.GOALS))
    if not {"commit", "growth", "gate"}.isdisjoint(rows):
        done += _commit_rows(create(base, "small", 10, 10), many, rows, scale)
    return done


def _commit_rows(small: Place, many: Place, rows: Sequence[str], scale: Scale) -> list[Row]:
    done = []
    if "gate" in rows:
        done.append(Row.of("gate", frameworks.gate(small, many, scale.rounds), frameworks.GATE_GOALS))
    if "commit" in rows:
        done.append(Row.of("commit", commits.idle(small, many, scale.rounds), commits.IDLE_GOALS))
    if "growth" in rows:
        done.append(Row.of("growth", commits.adding(small, many, scale.rounds), commits.GROWTH_GOALS))
    return done


def as_json(rows: Sequence[Row], scale: Scale) -> dict[str, object]:
    """Everything measured, with the machine it was measured on."""
    return {
        "schema": "strata/benchmarks/v1",
        "machine": {"system": platform.platform(), "processors": os.cpu_count(), "python": platform.python_version()},
        "scale": {"artifacts": scale.artifacts, "files": scale.artifacts * 10, "rounds": scale.rounds},
        "rows": [
            {
                "row": row.name,
                "samples": plain(row.samples),
                "goals": [_outcome(outcome) for outcome in row.outcomes],
            }
            for row in rows
        ],
    }


def _outcome(outcome: Outcome) -> dict[str, object]:
    goal = outcome.goal
    limit = None if goal.limit == float("inf") else goal.limit
    return {
        "goal": goal.name,
        "ours": goal.ours,
        "anchor": goal.anchor,
        "limit": limit,
        "bound": "at least" if goal.at_least else "at most",
        "of": "difference in seconds" if goal.added else "ratio",
        "ratio": None if outcome.ratio is None else round(outcome.ratio, 3),
        "quickest_ratio": None if outcome.quickest is None else round(outcome.quickest, 3),
        "cpu_ratio": None if outcome.cpu_ratio is None else round(outcome.cpu_ratio, 3),
        "added_ms": None if outcome.added is None else round(outcome.added * 1000, 2),
        "verdict": outcome.verdict if limit is not None else "told",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything was measured, whatever came of it: a figure is no failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help="which measures, joined by commas (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to FILE")
    parser.add_argument("--quick", action="store_true", help="500 versions, few rounds: does it run?")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--dvc", default=shutil.which("dvc"), help="the dvc to compare with (default: on PATH)")
    given = parser.parse_args(arguments)
    rows = given.rows.split(",")
    if unknown := [row for row in rows if row not in ROWS]:
        parser.error(f"no such row: {', '.join(unknown)} (there are {', '.join(ROWS)})")
    scale = QUICK if given.quick else Scale()
    scale = Scale(scale.datasets, scale.versions, given.rounds or scale.rounds)
    with tempfile.TemporaryDirectory(prefix="strata-bench-") as base:
        done = measured(Path(base), rows, scale, given.dvc)
    print(table([(row.name, row.samples, row.outcomes) for row in done]))
    if given.json is not None:
        given.json.write_text(json.dumps(as_json(done, scale), indent=2) + "\n")
    return 0


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
