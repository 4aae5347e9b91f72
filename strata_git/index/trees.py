"""Where artifacts are: the directories of a commit by their tree ids, and the files below any tree id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from strata_git.contracts.layout import KINDS, NAME, VERSION, Artifact, artifact_of
from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.repo.scan import TREE, Row, entries_below, read_trees
from strata_git.repo.tree import ListedTree


def artifact_trees(repo: Repository, commit: str) -> dict[Artifact, str]:
    """The artifacts of a commit with their tree ids. Raises StrataError where a directory above them is not here."""
    try:
        data = repo.objects.read(commit)[1]
        root = data[5 : data.index(b"\n")].decode()
        return _below(repo, next(iter(list(read_trees(repo, [root])))))
    except KeyError as error:
        raise _absent(error.args[0]) from None
    except ValueError:
        raise StrataError(f"A directory of {commit} is damaged.", hint="git fsck") from None


def files_below(repo: Repository, trees: Mapping[str, str]) -> ListedTree:
    """The files of directories given as path -> tree id. Raises StrataError where one is not here."""
    try:
        return ListedTree(repo, entries_below(repo, [(path, Row(TREE, path, oid)) for path, oid in trees.items()]))
    except KeyError as error:
        raise _absent(error.args[0]) from None
    except ValueError:
        raise StrataError("A directory of an artifact is damaged.", hint="git fsck") from None


def _below(repo: Repository, top: Iterable[Row]) -> dict[Artifact, str]:
    """The roots, the names in them, the versions of each; what is no directory is passed over."""
    artifacts: dict[Artifact, str] = {}
    names: list[tuple[str, str, str]] = []
    roots = [row for row in top if row.is_tree and row.name in KINDS]
    for root, rows in zip(roots, list(read_trees(repo, [row.oid for row in roots])), strict=True):
        for row in rows:
            artifact = artifact_of(f"{root.name}/{row.name}/x") if row.is_tree else None
            if artifact is not None:
                artifacts[artifact] = row.oid
            elif row.is_tree and NAME.fullmatch(row.name) and KINDS[root.name] not in ("run", "service"):
                names.append((KINDS[root.name], row.name, row.oid))
    for (kind, name, _), rows in zip(names, list(read_trees(repo, [oid for _, _, oid in names])), strict=True):
        found = (row for row in rows if row.is_tree and VERSION.fullmatch(row.name))
        artifacts |= {Artifact(kind, name, row.name): row.oid for row in found}
    return artifacts


def _absent(oid: object) -> StrataError:
    return StrataError(
        f"Tree {oid} is not in this repository (a partial clone?).", hint="git fetch --refetch --no-filter"
    )
