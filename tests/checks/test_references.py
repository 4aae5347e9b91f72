"""What is cited is there, and is what it was."""

from __future__ import annotations

from collections.abc import Mapping

from strata_git.checks.engine import judge_links
from tests.checks.judging import judge, only, rules
from tests.support import artifacts

IRIS, RUN, FOREST = "datasets/iris@v1", artifacts.RUN, "models/forest@v1"
CITED = artifacts.cite(artifacts.dataset(), "datasets/iris/v1")

Summaries = dict[str, Mapping[str, object]]


def workspace(**changes: Mapping[str, object] | None) -> Summaries:
    """Summaries of a dataset, the run that read it, and the model made of both."""
    judged = [judge(files).summary for files in (artifacts.dataset(), artifacts.run(inputs=[CITED]), artifacts.model())]
    return {str(summary["reference"]): summary for summary in judged}


def less(*references: str) -> Summaries:
    return {reference: summary for reference, summary in workspace().items() if reference not in references}


def changed(reference: str, **facts: object) -> Summaries:
    summaries = workspace()
    return summaries | {reference: {**summaries[reference], **facts}}


def test_whole_links_are_silent() -> None:
    assert judge_links(workspace()) == ()


def test_what_is_cited_and_not_there() -> None:
    findings = judge_links(less(IRIS))
    assert {(finding.rule, finding.path) for finding in findings} == {
        ("STR-X001", f"runs/{RUN}/run.yaml"),
        ("STR-X001", "models/forest/v1/metadata.yaml"),
    }
    assert only(judge_links(less(RUN))).rule == "STR-X001"


def test_what_is_cited_and_was_removed_is_a_warning() -> None:
    finding = only(judge_links(less(RUN), removed={RUN}))
    assert (finding.rule, finding.severity) == ("STR-X004", "warning")


def test_another_digest_or_content_than_recorded() -> None:
    assert rules(judge_links(changed(IRIS, digest="sha256:" + "0" * 64))) == ["STR-X002"]
    assert rules(judge_links(changed(IRIS, content_hash="sha256:" + "0" * 64))) == ["STR-X003", "STR-X003"]


def test_what_could_not_be_judged_is_not_compared() -> None:
    assert judge_links(changed(IRIS, digest=None, content_hash=None)) == ()


def test_a_models_data_is_data_its_run_read() -> None:
    finding = only(judge_links(changed(RUN, inputs=[])))
    assert (finding.rule, finding.severity, finding.path) == ("STR-X005", "warning", "models/forest/v1/metadata.yaml")


def test_a_models_file_is_one_its_run_wrote() -> None:
    finding = only(judge_links(changed(FOREST, artifact_sha256="4" * 64)))
    assert (finding.rule, finding.severity, finding.path) == ("STR-X006", "error", "models/forest/v1/metadata.yaml")


def test_nothing_is_said_of_what_a_run_wrote_where_its_objects_are_absent() -> None:
    assert judge_links(changed(RUN, outputs=[], judged=False)) == ()


def test_a_model_without_a_run_cites_none() -> None:
    assert judge_links(changed(FOREST, run=None)) == ()


def test_only_what_is_touched_or_cites_it_is_judged() -> None:
    assert judge_links(less(IRIS), set()) == ()
    assert rules(judge_links(less(IRIS), {FOREST})) == ["STR-X001"]
    assert rules(judge_links(less(IRIS), {IRIS})) == ["STR-X001", "STR-X001"]
    assert rules(judge_links(changed(RUN, inputs=[]), {RUN})) == ["STR-X005"]


def test_summaries_of_another_shape_are_passed_over() -> None:
    odd = {"x": {"inputs": ["text", {"digest": 1}], "run": 3}, "y": {"inputs": None}}
    assert rules(judge_links(odd)) == ["STR-X001"]


def test_a_models_file_has_the_size_that_its_run_recorded() -> None:
    size = workspace()[FOREST]["artifact_bytes"]
    assert isinstance(size, int)
    finding = only(judge_links(changed(FOREST, artifact_bytes=size + 1)))
    assert (finding.rule, finding.path) == ("STR-F004", "models/forest/v1/model.skops")
    assert finding.message == f"has {size + 1} bytes here, {size} in {RUN}"
    assert judge_links(changed(FOREST, artifact_bytes=None)) == ()


def test_a_models_figures_are_those_its_run_measured() -> None:
    finding = only(judge_links(changed(FOREST, metrics={"accuracy": 0.99, "other": 1.0})))
    assert (finding.rule, finding.severity, finding.path) == ("STR-X007", "warning", "models/forest/v1/metrics.yaml")
    assert finding.message == f"metric 'accuracy' is 0.99 here, 0.9 in {RUN}"
    assert judge_links(changed(RUN, metrics={})) == ()
