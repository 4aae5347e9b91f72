"""Facts on run ids: which record each branch, here and as last fetched, has under which id.

Known by tree ids: only the commits that branches name, their top directories and the lists of their runs are read, and
two records are looked into only where their trees differ.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple

from strata_git.checks.catalog import RULESET
from strata_git.checks.collisions import judge_collisions
from strata_git.checks.engine import Judgement
from strata_git.checks.finding import Finding
from strata_git.contracts.layout import CHECKSUMS, RUN_ID, Artifact
from strata_git.doctor.cache import Cache
from strata_git.doctor.subject import Subject
from strata_git.repo.command import Repository
from strata_git.repo.scan import Row, parse_tree

BRANCHES = ("refs/heads/", "refs/remotes/")
HERE = "what is judged"
PUSHED = "what is pushed"

Runs = Mapping[str, str]
"""Run id -> tree id of its record."""


def judge_run_ids(
    repo: Repository, subject: Subject, judged: Mapping[Artifact, Judgement], cache: Cache
) -> list[Finding]:
    """Findings on run ids that two branches, or a branch and what is judged, gave to different runs."""
    places = _branches(repo) | ({HERE: subject.commit} if subject.commit else {})
    lists = _run_lists(repo, places)
    touched = [artifact for artifact in subject.touched if artifact.kind == "run"]
    committed = _named(repo, lists.get(HERE)) if touched else {}
    fresh = {artifact.name: artifact for artifact in touched if artifact.name not in committed}
    if not fresh and len(set(lists.values())) < 2:
        return []
    sha = hashlib.sha256(RULESET.encode())
    for place, oid in sorted(lists.items()):
        sha.update(os.fsencode(f"{place} {oid}\0"))
    key = f"run-ids:{sha.hexdigest()}"
    known = None if fresh else cache.get([key]).get(key)
    if isinstance(known, list):
        return [Finding(*row) for row in known]
    listed = _listed(repo, lists.values())
    runs = {place: listed.get(oid, {}) for place, oid in lists.items()}
    sums = {name: str(judged[a].summary.get("checksums_oid")) for name, a in fresh.items() if a in judged}
    runs[HERE] = {**runs.get(HERE, {}), **{name: subject.artifacts[fresh[name]] for name in sums}}
    findings = list(judge_collisions(_identities(repo, runs, sums)))
    if not fresh:
        cache.put({key: [astuple(finding) for finding in findings]})
    return findings


def judge_pushed_ids(repo: Repository, tips: Iterable[str], bases: Iterable[str]) -> list[Finding]:
    """Findings on runs that a push brings, and that some branch known here has otherwise."""
    seen = _run_lists(repo, _branches(repo) | {f"base {at}": commit for at, commit in enumerate(bases)})
    old = {item for place, oid in seen.items() if place.startswith("base ") for item in _named(repo, oid).items()}
    findings: list[Finding] = []
    for tip in tips:
        brought = dict(_named(repo, _run_lists(repo, {PUSHED: tip}).get(PUSHED)).items() - old)
        if brought:
            others = {place: _only(_named(repo, oid), brought) for place, oid in seen.items()}
            findings += judge_collisions(_identities(repo, {PUSHED: brought, **others}, {}))
    return findings


def _branches(repo: Repository) -> dict[str, str]:
    """Branch, as people write it -> commit; local branches and what was last fetched."""
    out = repo.git("for-each-ref", "--format=%(objectname) %(objecttype) %(refname)", *BRANCHES)
    rows = (line.split(" ", 2) for line in os.fsdecode(out).split("\n")[:-1])
    return {ref.split("/", 2)[2]: oid for oid, kind, ref in rows if kind == "commit"}


def _run_lists(repo: Repository, places: Mapping[str, str]) -> dict[str, str]:
    """Place -> tree id of its runs/; places without runs, or whose objects are absent, are left out."""
    tops: dict[str, str] = {}
    for oid, kind, data in list(repo.objects.read_many(dict.fromkeys(places.values()))):
        if kind == "commit" and data is not None:
            tops[oid] = data[5 : data.index(b"\n")].decode()
    lists: dict[str, str] = {}
    for top, rows in _trees(repo, tops.values()):
        lists.update((top, row.oid) for row in rows if row.name == "runs" and row.is_tree)
    return {place: lists[tops[oid]] for place, oid in places.items() if tops.get(oid) in lists}


def _named(repo: Repository, oid: str | None) -> dict[str, str]:
    return _listed(repo, [oid]).get(oid, {}) if oid else {}


def _listed(repo: Repository, oids: Iterable[str]) -> dict[str, dict[str, str]]:
    """Tree id of a runs/ -> the runs in it. Hundreds of branches may list thousands of runs: no row is made of each."""
    width = 32 if repo.object_format == "sha256" else 20
    row = re.compile(rb"([0-7]+) ([^\0]+)\0(.{%d})" % width, re.DOTALL)  # rows follow each other without a gap
    found = list(repo.objects.read_many(dict.fromkeys(oids)))
    return {
        oid: {
            os.fsdecode(name): tree.hex()
            for mode, name, tree in row.findall(data)
            if mode == b"40000" and name.startswith(b"run-")
        }
        for oid, kind, data in found
        if kind == "tree" and data is not None
    }


def _trees(repo: Repository, oids: Iterable[str]) -> list[tuple[str, list[Row]]]:
    """Each tree once, with its rows; those that are not here are left out."""
    found = list(repo.objects.read_many(dict.fromkeys(oids)))
    return [
        (oid, parse_tree(data, repo.object_format)) for oid, kind, data in found if kind == "tree" and data is not None
    ]


def _only(runs: Runs, wanted: Collection[str]) -> dict[str, str]:
    return {name: oid for name, oid in runs.items() if name in wanted}


def _identities(repo: Repository, runs: Mapping[str, Runs], known: Runs) -> dict[str, dict[str, str]]:
    """The same, for ids that stand for more than one tree: place -> run id -> blob id of its CHECKSUMS.txt.

    A signature that came later makes another tree of the same record. `known` tells of records not stored yet.
    """
    trees: dict[str, set[str]] = {}
    for held in runs.values():
        for name, oid in held.items():
            trees.setdefault(name, set()).add(oid)
    doubtful = {name for name, oids in trees.items() if len(oids) > 1 and RUN_ID.fullmatch(name)}
    sums: dict[str, str] = {}
    for oid, rows in _trees(repo, sorted({oid for name in doubtful for oid in trees[name]})):
        sums[oid] = next((row.oid for row in rows if row.name == CHECKSUMS), oid)
    return {
        place: {
            name: known.get(name, oid) if place == HERE and oid not in sums else sums.get(oid, oid)
            for name, oid in held.items()
            if name in doubtful
        }
        for place, held in runs.items()
    }
