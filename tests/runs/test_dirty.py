"""A work tree that is not as HEAD is kept as git would commit it, and nobody's index, files or secrets are touched."""

from __future__ import annotations

import hashlib
import os

import pytest

from strata_git.config import Settings
from strata_git.errors import StrataError
from tests.runs.running import log_of, opened, pending, perform, probe, record_of, visible
from tests.support.builder import RepositoryBuilder

TOKEN = "ghp_" + "a1B2c3D4e5" * 4


def ref(run: str) -> str:
    return f"refs/strata/runs/{run}"


def test_what_is_kept_is_what_git_would_add(probed: RepositoryBuilder) -> None:
    probed.write({"code.py": "a = 2\n", "plugins/extra.py": "b = 1\n", "data/a.csv": None, "new folder/x y.txt": "é\n"})
    probed.write({".gitignore": probed.read(".gitignore") + b"ignored.txt\n", "ignored.txt": "no\n"})
    probed.chmod({"data/deep/b.csv": 0o755}).symlink({"link": "code.py"})
    probed.git("add", "code.py")
    before, index = probed.git("status", "--porcelain"), probed.read(".git/index")
    done = perform(probed, probe())
    record = record_of(probed, done.id)
    own = {"GIT_INDEX_FILE": str(probed.path / ".git/expected")}
    probed.git("read-tree", "HEAD", env=own)
    probed.git("add", "--all", ":!runs", env=own)
    assert record.code.kept == probed.git("write-tree", env=own) == probed.git("rev-parse", f"{ref(done.id)}^{{tree}}")
    assert probed.git("rev-parse", f"{ref(done.id)}^") == record.code.commit == probed.head
    assert done.kept == ref(done.id)
    assert probed.read(".git/index") == index
    assert probed.git("status", "--porcelain") == f"{before}\n?? runs/"
    assert probed.git("fsck", "--strict", "--no-dangling") == ""


def test_a_clean_tree_and_files_of_artifacts_keep_nothing(probed: RepositoryBuilder) -> None:
    first = perform(probed, probe())
    second = perform(probed, probe())  # runs/ is untracked now
    assert (record_of(probed, first.id).code.kept, record_of(probed, second.id).code.kept) == (None, None)
    assert probed.git("for-each-ref", "refs/strata/runs/") == ""


def test_what_lies_beside_clean_code_is_kept_and_the_code_is_not_called_dirty(probed: RepositoryBuilder) -> None:
    probed.write({"plugins/beside.py": "x = 1\n"})
    code = record_of(probed, perform(probed, probe()).id).code
    assert not code.dirty
    assert code.kept not in (None, code.tree)


def test_secrets_and_large_files_are_left_out_and_named(probed: RepositoryBuilder) -> None:
    probed.write(
        {"code.py": f'key = "{TOKEN}"\n', "notes.txt": f"{TOKEN}\n", ".env.local": "A=b\n", ".env.example": "A=\n"}
    )
    probed.write({"big.csv": b"1\n" * (3 << 20), "fine.txt": "x\n"})
    done = perform(probed, probe())
    kept = probed.git("ls-tree", "-r", "--name-only", ref(done.id)).splitlines()
    assert {"fine.txt", ".env.example", "code.py"} <= set(kept)
    assert not {"notes.txt", ".env.local", "big.csv"} & set(kept)
    assert probed.git("show", f"{ref(done.id)}:code.py") == "a = 1"  # as HEAD has it
    told = log_of(probed, done)
    for name in ("code.py", "notes.txt", ".env.local", "big.csv"):
        assert f"{name} is not kept" in told
    packed = probed.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    blob = hashlib.sha1(b"blob %d\0%s\n" % (len(TOKEN) + 1, TOKEN.encode())).hexdigest()
    assert blob not in packed


def test_what_the_workspace_lets_pass_is_kept(probed: RepositoryBuilder) -> None:
    probed.write({"notes.txt": f"{TOKEN}\n"})
    allowed = "sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest()
    done = perform(probed, probe(), settings=Settings(secrets_allow=(allowed,)))
    assert probed.git("show", f"{ref(done.id)}:notes.txt") == TOKEN


def test_a_run_that_leaves_no_record_keeps_nothing(probed: RepositoryBuilder) -> None:
    def refuse(_: object) -> None:
        raise StrataError("away")

    probed.write({"code.py": "a = 3\n"})
    with pytest.raises(StrataError, match="away"):
        perform(probed, probe(), tracker=refuse)
    assert (visible(probed), pending(probed), probed.git("for-each-ref", "refs/strata/runs/")) == ([], [], "")


def test_content_for_lfs_is_kept_as_git_lfs_keeps_it(lfs: RepositoryBuilder) -> None:
    lfs.write({".gitattributes": lfs.read(".gitattributes") + b"*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    lfs.write({"plugins/probe.py": "class ProbePlugin:\n    name = 'probe'\n    def run(self, spec, context): pass\n"})
    lfs.commit("Begin")
    data = os.urandom(5 << 20)
    lfs.write({"weights.bin": data})
    done = perform(lfs, probe())
    sha256 = hashlib.sha256(data).hexdigest()
    assert f"oid sha256:{sha256}" in lfs.git("show", f"{ref(done.id)}:weights.bin")
    assert (lfs.path / ".git/lfs/objects" / sha256[:2] / sha256[2:4] / sha256).read_bytes() == data
    lfs.git("checkout", "--quiet", "--detach", "--force", ref(done.id))
    assert lfs.read("weights.bin") == data
    assert opened(lfs).head() == lfs.git("rev-parse", ref(done.id))
