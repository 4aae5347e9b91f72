"""`python -m tests.fuzz TARGET... [--runs N] [--seconds S] [--jobs J]`: fuzz grammars, guided by coverage (atheris).

Each target runs in a process of its own, as libFuzzer ends its process. What it finds is put into .fuzz/<target>/, an
input that fails as crash-*, and the exit code is then not 0. Without TARGET all are run, one after another.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOUND = Path(".fuzz")
HANG = 10
"""Seconds of wall clock after which libFuzzer calls an input a hang."""
MEMORY = 2048
"""Most MiB a process may take."""


def main(words: Sequence[str]) -> int:
    """Fuzz what is named; 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="Grammars to fuzz; all when none is named.")
    parser.add_argument("--runs", type=int, default=1_000_000, help="Inputs for each target (1000000).")
    parser.add_argument("--seconds", type=int, default=0, help="At most so long for each target (0: no bound).")
    parser.add_argument("--seed", type=int, default=0, help="Of the pseudo-random numbers (0: another one each time).")
    parser.add_argument("--found", type=Path, default=FOUND, help="Where what is found is kept (.fuzz).")
    parser.add_argument("--jobs", type=int, default=1, help="So many targets at the same time (1).")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    if given.inside:
        return _fuzz(given.targets[0], given.runs, given.seconds, given.seed, given.found)
    from tests.fuzz.grammars import TARGETS

    if unknown := set(given.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    names = list(given.targets or TARGETS)
    with ThreadPoolExecutor(given.jobs) as pool:
        fine = dict(zip(names, pool.map(lambda name: _run(name, given), names), strict=True))
    bad = [name for name, good in fine.items() if not good]
    print(f"failed: {', '.join(bad)}" if bad else "nothing found")
    return 1 if bad else 0


def _run(name: str, given: argparse.Namespace) -> bool:
    """One target in a process of its own; its numbers are printed, and all it said where it failed."""
    bounds = [f"--runs={given.runs}", f"--seconds={given.seconds}", f"--seed={given.seed}", f"--found={given.found}"]
    words = [sys.executable, "-m", "tests.fuzz", name, *bounds, "--inside"]
    begun = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True, errors="backslashreplace", check=False)
    taken = time.monotonic() - begun
    tried = int(([*re.findall(r"^stat::number_of_executed_units: +(\d+)$", done.stderr, re.MULTILINE), "0"])[0])
    reached = ([*re.findall(r"cov: (\d+)", done.stderr)[-1:], "0"])[0]
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"{name:14} {tried:>9} inputs in {taken:6.1f} s, {reached:>5} places reached: {verdict}", flush=True)
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n", flush=True)
    return done.returncode == 0


def _fuzz(name: str, runs: int, seconds: int, seed: int, found: Path) -> int:
    """Fuzz one target here; does not come back."""
    import atheris

    with atheris.instrument_imports(include=["strata_git"]):
        from tests.fuzz.grammars import TARGETS

        target = TARGETS[name]
        for data in target.seeds().values():
            target.judge(data)  # loads, instrumented, what is loaded when it is needed
    place = found / name
    place.mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={runs}",
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-max_len={target.longest}",
        f"-timeout={HANG}",
        f"-rss_limit_mb={MEMORY}",
        f"-dict={target.dictionary}",
        f"-artifact_prefix={place}/",
        "-print_final_stats=1",
        "-verbosity=1",
    ]

    def judge(data: bytes) -> None:
        target.judge(data)

    atheris.Setup([sys.argv[0], *options, str(place), str(target.corpus)], judge)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
