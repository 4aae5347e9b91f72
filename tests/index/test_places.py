"""On which branches and tags a content lies: what git itself says, asked tip by tip."""

from __future__ import annotations

from strata_git.index.build import build
from strata_git.index.impact import everything, key_of
from strata_git.index.places import MOST, read_places
from tests.index.opening import opened
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


def slowly(repo: RepositoryBuilder, path: str, tree: str) -> list[str]:
    """The same, from `git rev-parse REF:path` for every reference."""
    found = []
    for prefix, label in (("refs/heads/", ""), ("refs/remotes/", ""), ("refs/tags/", "tag ")):
        for ref in repo.git("for-each-ref", "--format=%(refname)", prefix).split():
            if repo.try_git("rev-parse", "--verify", "--quiet", f"{ref}^{{tree}}:{path}").out.strip() == tree:
                found.append(label + ref.removeprefix(prefix))
    return found


def test_places_are_those_that_git_tells_tip_by_tip(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    repo.write({"runs/notes.txt": "no run"})
    repo.commit("Add iris")
    repo.git("tag", "-a", "-m", "x", "then")
    repo.git("checkout", "--quiet", "-b", "side")
    repo.dataset("wine")
    repo.run()
    repo.commit("Add wine and a run")
    repo.git("checkout", "--quiet", "-")
    repo.dataset("iris", "v2")
    repo.write({"datasets/wine/v1/metadata.yaml": "kind: other\n", "services/live/service.yaml": "name: live\n"})
    repo.commit("Add iris v2, another wine and a service")
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"x")
    repo.git("update-ref", "refs/tags/odd", blob)
    repo.git("update-ref", "refs/remotes/origin/main", "HEAD")
    records = everything(build(opened(repo)))
    assert len(records) == 6
    found = read_places(opened(repo), records, tags=True)
    assert found == {key_of(one): tuple(slowly(repo, one.artifact.path, one.tree)) for one in records}
    assert ("side",) in found.values()
    assert read_places(opened(repo), []) == {}


def test_of_many_branches_the_first_are_told(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    head = repo.commit("Add iris")
    lines = "".join(f"create refs/heads/b{number:04d} {head}\n" for number in range(MOST + 50))
    repo.git("update-ref", "--stdin", stdin=lines.encode())
    (places,) = read_places(opened(repo), build(opened(repo)).artifacts).values()
    assert (len(places), places[0]) == (MOST, "b0000")
