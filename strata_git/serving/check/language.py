"""What `service check` says of a service in R: whether R is the one the model was made with, and packages.txt."""

from __future__ import annotations

from collections.abc import Iterator

from strata_git.errors import StrataError
from strata_git.serving.checked import Subject, Verdict
from strata_git.serving.project.project import CODE
from strata_git.serving.r.model import RModel
from strata_git.serving.r.packages import FILE, debian_packages

CHECK = "r"


def judge(subject: Subject) -> Iterator[Verdict]:
    """A warning where another version of R answers than the one that made the model (its major and minor number), an
    error for packages.txt that cannot be read."""
    from strata_git.repo.worktree import read_plain

    if subject.project.service.lang != "r":
        yield Verdict(CHECK, "skipped", "the service is not in R")
        return
    place = f"{subject.project.path}/{CODE}/{FILE}"
    debian_packages((read_plain(subject.repo, place) or b"").decode(errors="replace"), place)
    if subject.loaded is None or not isinstance(subject.loaded.model, RModel):
        yield Verdict(CHECK, "skipped", "the gate refused the model")
        return
    here = str(subject.loaded.model.versions["R"])
    made = _made_with(subject, subject.loaded.provenance.run)
    if not made:
        yield Verdict(CHECK, "passed", f"R {here}; the run does not say with which the model was made")
    elif made.split(".")[:2] == here.split(".")[:2]:
        yield Verdict(CHECK, "passed", f"R {here}, the model was made with {made}")
    else:
        message = f"R {here} is installed here, the model was made with R {made}"
        yield Verdict(CHECK, "warning", message, "Golden predictions show whether it matters; or fit the model anew.")


def _made_with(subject: Subject, run: str) -> str:
    """The version of R that a run says its model was made with; `""` where it says none."""
    from strata_git.load import Unloadable, load_json
    from strata_git.serving.released import open_run

    try:
        said = load_json(open_run(subject.repo, run).read("artifacts/model.json")).value if run else None
    except (StrataError, Unloadable):
        return ""
    if not isinstance(said, dict) or str(said.get("framework")).casefold() != "r":
        return ""
    return str(said.get("framework_version", ""))
