"""Figures over time, held against another engine: DuckDB over the same facts as Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from strata_git.errors import StrataError
from strata_git.index.build import build
from strata_git.index.tables import write_tables
from strata_git.report.period import By, Observation, aggregates, overview, period_of, seconds_between, slope
from strata_git.report.period_page import duration, overview_document
from strata_git.report.since import moment_said, source_of
from tests.report.promoting import promote
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

DAY = 86400
SCORES = {"forest": (0.81, 0.9, 0.87, 0.93), "tree": (0.5, 0.75)}
STATES = ("succeeded", "failed", "succeeded", "killed")
QUERIES = {
    "metrics": """
        WITH numbered AS (
            SELECT *, row_number() OVER (PARTITION BY {period}, name, metric ORDER BY number) - 1 AS place FROM metrics
            WHERE introduced >= '2026-01-12'
        )
        SELECT {period} AS period, name AS model, metric, count(*)::INT AS count, arg_min(value, number) AS first,
            arg_max(value, number) AS last, avg(value) AS mean, max(value) AS best,
            CASE WHEN count(*) > 1 THEN regr_slope(value, place) END AS trend
        FROM numbered GROUP BY ALL ORDER BY period, model, metric
    """,
    "promotions": """
        WITH entered AS (
            SELECT model, min(date) AS introduced FROM stages WHERE action = 'entering' AND stage = 'production'
            GROUP BY model
        )
        SELECT {period} AS period, name AS model, count(*)::INT AS promotions,
            median(epoch(introduced) - epoch(came)) AS lead
        FROM (SELECT entered.introduced, m.name, min(m.introduced) AS came FROM entered
              JOIN metrics m ON m.reference = entered.model GROUP BY ALL)
        WHERE introduced >= '2026-01-12' GROUP BY ALL ORDER BY period, model
    """,
    "runs": """
        SELECT {period} AS period, experiment, count(*)::INT AS runs,
            count(*) FILTER (status = 'succeeded')::INT AS succeeded,
            count(*) FILTER (status IN ('failed', 'interrupted', 'killed'))::INT AS failed
        FROM (SELECT *, created AS introduced FROM runs) WHERE introduced >= '2026-01-12' GROUP BY ALL
        ORDER BY period, experiment
    """,
}
PERIODS = {
    "week": "printf('%d-W%02d', isoyear(introduced), weekofyear(introduced))",
    "month": "strftime(introduced, '%Y-%m')",
    "model": "'all'",
}


@pytest.fixture
def grown(builder: Builder, keys: Keys) -> RepositoryBuilder:
    """Two models over seven weeks, three promotions, four runs of which two came to nothing."""
    repo = builder().workspace()
    commits = {}
    for number in range(4):
        for name, scores in SCORES.items():
            if number < len(scores):
                repo.model(name, f"v{number + 1}", metrics={"accuracy": scores[number], "recall": scores[number] / 2})
        day = f"2026-01-{10 + 5 * number:02}"
        repo.run(f"run-{day}-001", metadata={
            "status": STATES[number], "started": f"{day}T12:00:00Z", "finished": f"{day}T12:00:09Z",
            "error": None if STATES[number] == "succeeded" else "stopped",
        })  # fmt: skip
        commits[number] = repo.commit(f"Round {number}", None, "--no-verify")
        repo.clock.seconds += 12 * DAY
    promote(repo, keys, "forest", "v1", at="2026-01-11T00:00:00+00:00", commit=commits[0])
    promote(repo, keys, "forest", "v2", at="2026-02-03T09:30:00+00:00", commit=commits[1])
    promote(repo, keys, "tree", "v2", at="2026-02-20T00:00:00+00:00", commit=commits[1])
    return repo


VIEWS = {
    "metrics": """
        SELECT m.reference, m.name, m.version AS number, m.metric, m.value,
            make_timestamp(epoch_us(a.introduced_date)) AS introduced
        FROM '{0}/metrics.parquet' m JOIN '{0}/artifacts.parquet' a USING (reference, tree) WHERE m.kind = 'model'
    """,
    "stages": """
        SELECT printf('models/%s@v%d', model, version) AS model, action, stage, make_timestamp(epoch_us(date)) AS date
        FROM '{0}/events.parquet' WHERE sound
    """,
    "runs": """
        SELECT description AS experiment, status, make_timestamp(epoch_us(created)) AS created
        FROM '{0}/artifacts.parquet' WHERE kind = 'run'
    """,
}


def asked(folder: Path, name: str, by: str) -> list[dict[str, Any]]:
    import duckdb

    with duckdb.connect() as engine:
        for view, query in VIEWS.items():
            engine.execute(f"CREATE VIEW {view} AS {query.format(folder)}")
        answer = engine.execute(QUERIES[name].format(period=PERIODS[by]))
        columns = [column[0] for column in answer.description or ()]
        return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def about(value: object) -> object:
    """Sums of floats differ in the last digit by the order they are made in."""
    return pytest.approx(value, rel=1e-12) if isinstance(value, float) else value


def test_the_numbers_are_those_of_another_engine(grown: RepositoryBuilder, tmp_path: Path) -> None:
    repo = grown.repository()
    index = build(repo)
    source = source_of(repo, index)
    assert write_tables(repo, index, tmp_path) >= len(VIEWS)
    repo.close()
    periods: tuple[By, ...] = ("week", "month", "model")
    for by in periods:
        document: Any = overview_document(overview([source], "2026-01-12", "", by))
        for row, other in zip(document["metrics"], asked(tmp_path, "metrics", by), strict=True):
            assert row["direction"] == "higher"
            assert {key: about(row[key]) for key in other} == other
        moved = [row for row in document["models"] if row["promotions"]]
        for row, other in zip(moved, asked(tmp_path, "promotions", by), strict=True):
            assert {key: row[key] for key in other} == other
        runs = [{key: row[key] for key in ("period", "experiment", "runs", "succeeded", "failed")}
                for row in document["runs"]]  # fmt: skip
        assert runs == asked(tmp_path, "runs", by)
    assert len(moved) == 2
    assert document["runs"][0]["failed"] == 2


def test_each_rendering_says_it(grown: RepositoryBuilder) -> None:
    repo = grown.repository()
    try:
        made = overview([source_of(repo, build(repo))], moment_said(repo, "HEAD~2"), "", "model")
    finally:
        repo.close()
    document = overview_document(made)
    assert json.loads(json.dumps(document))["models"] == document["models"]
    text = grown.strata("report", "--since", "HEAD~2").expect(0).out
    for word in ("forest", "accuracy ↑", "0.93", "33.5 days"):
        assert word in text
    page = grown.strata("report", "--since", "2026-01-01", "--format", "html").expect(0).out
    assert (page.count("<svg "), page.count("<circle ")) == (4, 12)
    words = ("--since", "2026-01-01", "--until", "2026-01-06", "--by", "week", "--format", "json")
    shorter: Any = grown.strata("report", *words).expect(0).json()
    assert {row["last"] for row in shorter["metrics"]} == {0.81, 0.405, 0.5, 0.25}
    assert {row["period"] for row in shorter["metrics"]} == {"2026-W02"}


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-01-12", "2026-01-12T00:00:00Z"),
        ("2026-01-12T01:00:00+01:00", "2026-01-12T00:00:00Z"),
        ("HEAD", "2026-01-05T12:01:00Z"),
    ],
)
def test_moments(builder: Builder, said: str, moment: str) -> None:
    made = builder()
    made.commit("One")
    repo = made.repository()
    try:
        assert moment_said(repo, said) == moment
    finally:
        repo.close()


def test_a_moment_that_is_none(builder: Builder) -> None:
    made = builder()
    made.commit("One")
    repo = made.repository()
    for said in ("yesterday", "2026-13-01", "2026-01-01T10:00:00", "-x", "0d", "", "--all"):
        with pytest.raises(StrataError, match="neither a moment nor a revision"):
            moment_said(repo, said)
    repo.close()


def test_sums_of_extremes() -> None:
    assert slope([1.0]) is None
    assert slope([1.0, 2.0, 3.0]) == 1.0
    assert slope([-1.7e308, 1.7e308]) is None
    seen = [Observation("", "m", f"v{n}", n, "2026-01-01", "x", 1.7e308, "higher") for n in (1, 2, 3)]
    (row,) = aggregates(seen, "model")
    assert (row.mean, row.course) == (pytest.approx(1.7e308), "flat")


def test_periods_and_durations() -> None:
    assert period_of("2027-01-01T00:00:00Z", "week") == "2026-W53"
    assert period_of("soon", "month") == "unknown"
    assert seconds_between("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z") is None
    assert seconds_between("", "x") is None
    assert [duration(each) for each in (None, 30.0, 90.0, 7200.0, 129600.0)] == [
        "", "30 seconds", "1.5 minutes", "2.0 hours", "1.5 days",
    ]  # fmt: skip
