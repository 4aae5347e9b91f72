"""The settings that stand in the tree being judged, remembered as plain data by the blob id of strata.yaml."""

from __future__ import annotations

from strata_git.config import Settings, SettingsError, as_plain, from_plain, load_settings
from strata_git.contracts.layout import SETTINGS
from strata_git.doctor.cache import Cache
from strata_git.doctor.subject import Subject
from strata_git.repo.tree import ListedTree

LIMIT = 1 << 20


def settings_of(subject: Subject, cache: Cache) -> Settings:
    """The settings of what is judged."""
    return settings_in(subject.loose, cache)


def settings_in(tree: ListedTree, cache: Cache) -> Settings:
    """The settings of the tree; defaults where the file is absent or broken (the rules tell of the latter)."""
    entry = tree.get(SETTINGS)
    if entry is None or entry.mode not in ("100644", "100755"):
        return Settings()
    key = f"settings:{entry.oid}"
    kept = cache.get([key]).get(key)
    settings = from_plain(kept) if isinstance(kept, dict) else None
    if settings is None:
        try:
            settings = load_settings(tree.read(entry, LIMIT))
        except (SettingsError, ValueError, KeyError):
            return Settings()
        cache.put({key: as_plain(settings)})
    return settings
