"""What a sweep leaves in its record: every trial as lines and as a table, the best one as an experiment, a picture.

The same trials give the same bytes, on whatever engine and in whatever order they were made; when each was made and how
long it took stands in logs.txt.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from strata_git.errors import printable
from strata_git.runs.spec import RunSpec, resolved
from strata_git.runs.sweeps.chart import draw
from strata_git.runs.sweeps.trial import Ended, Trial, best_of, trial_spec

TRIALS, TABLE, BEST, CHART = "trials.jsonl", "trials.csv", "best.yaml", "sweep.svg"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_summary(place: Path, spec: RunSpec, ended: Sequence[Ended]) -> None:
    """Write the files that tell of `ended` below `place`; best.yaml only where a trial succeeded."""
    from strata_git.load import canonical_json, dump_yaml
    from strata_git.repo.files import write_file

    ranked = sorted(ended, key=lambda each: each.index)
    write_file(place / TRIALS, b"".join(canonical_json(one.facts()) + b"\n" for one in ranked))
    write_file(place / TABLE, as_csv(ranked, list(spec.sweep["parameters"])))
    write_file(place / CHART, draw(ranked, spec.sweep))
    best = best_of(ranked, spec.sweep["metric"], spec.sweep["direction"])
    if best is not None:
        write_file(place / BEST, dump_yaml(resolved(trial_spec(spec, Trial(best.index, best.values)))))


def read_trials(place: Path) -> list[Mapping[str, Any]]:
    """The lines of trials.jsonl in a record's artifacts; none where there is no such file."""
    from strata_git.load import load_json

    try:
        lines = (place / TRIALS).read_bytes().splitlines()
    except OSError:
        return []
    return [value for line in lines if isinstance(value := load_json(line).value, dict)]


def as_csv(ended: Sequence[Ended], paths: Sequence[str]) -> bytes:
    """One row a trial: number, swept values, seed, status, metrics, error. No cell is a formula."""
    names = sorted({name for one in ended for name in one.metrics})
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow([_cell(name) for name in ("trial", *paths, "seed", "status", *names, "error")])
    for one in ended:
        values = [one.values.get(path) for path in paths]
        measured = [one.metrics.get(name) for name in names]
        rows.writerow([_cell(each) for each in (one.index, *values, one.seed, one.status, *measured, one.error)])
    return out.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    text = printable(value if isinstance(value, str) else json.dumps(value, sort_keys=True))
    return f"'{text}" if text.startswith(_FORMULA) else text
