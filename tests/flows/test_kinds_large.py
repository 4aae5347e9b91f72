"""The same day's work beside 100,000 files."""

from __future__ import annotations

import pytest

from tests.flows.kinds import Place, work


@pytest.mark.heavy
@pytest.mark.parametrize("sparse", [False, True], ids=["whole", "sparse"])
def test_a_hundred_thousand_files(place: Place, sparse: bool) -> None:
    repo = place.repo
    stream = [f"commit refs/heads/main\ncommitter A <a@b.c> 1767700000 +0000\ndata 2\nx\nfrom {repo.head}\n"]
    stream += [f"M 100644 inline src/p{n // 1000}/m{n // 50}/f{n}.py\ndata 2\nx\n" for n in range(100_000)]
    repo.git("fast-import", "--quiet", "--force", stdin="".join(stream).encode())
    if sparse:
        repo.git("sparse-checkout", "set", "--sparse-index", "datasets")
    repo.git("reset", "-q", "--hard")
    repo.git("push", "-q", "origin", "main")
    work(place)
