"""What every command starts from: the environment and the directory, taken once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strata_git.config import Settings
    from strata_git.index.records import Index
    from strata_git.repo.command import Repository
    from strata_git.runs.masking import Mask


@dataclass(slots=True)
class Session:
    """The snapshot a command works from; the repository is found when it is first needed."""

    environ: Mapping[str, str]
    cwd: Path
    _repository: Repository | None = field(default=None, repr=False)
    _mask: Mask | None = field(default=None, repr=False)
    indexes: list[Index] = field(default_factory=list, repr=False)
    """Those that the command has asked."""

    @property
    def is_sure(self) -> bool:
        """Whether an index was asked, and nothing that it told can change while the repository stays as it is."""
        return bool(self.indexes) and all(getattr(index, "is_sure", False) for index in self.indexes)

    def repository(self) -> Repository:
        """The repository around the directory; StrataError when there is none."""
        if self._repository is None:
            from strata_git.repo.command import Repository

            self._repository = Repository.discover(self.cwd, self.environ)
        return self._repository

    def commit_command(self, paths: Collection[str], message: str) -> str:
        """What commits `paths`, to be said from the directory we are in."""
        from strata_git.authoring.commit import commit_command

        root = self.repository().require_worktree()
        elsewhere = "" if root.resolve() == self.cwd.resolve() else str(root)
        return commit_command(paths, message, directory=elsewhere)

    def mask(self) -> Mask:
        """What must not be shown: secrets of the environment, and what is resolved. All output passes it from now."""
        if self._mask is None:
            from strata_git.cli.output import mask_with
            from strata_git.runs.masking import Mask

            self._mask = Mask.of(self.environ)
            mask_with(self._mask.text)
        return self._mask

    def settings(self) -> Settings:
        """The workspace's settings, from the work tree, or from HEAD in a bare repository."""
        from strata_git.config import load_settings  # what needs no settings does not wait for them

        repo = self.repository()
        if repo.worktree is not None:
            from strata_git.repo.worktree import read_plain

            return load_settings(read_plain(repo, "strata.yaml"))
        from strata_git.repo.tree import commit_tree

        head = repo.head()
        entry = commit_tree(repo, head, ["strata.yaml"]).get("strata.yaml") if head else None
        return load_settings(repo.objects.read(entry.oid, 1 << 20)[1] if entry else None)
