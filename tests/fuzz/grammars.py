"""The grammars that are fuzzed, with the words that a fuzzer puts into its inputs, and the seeds it begins with."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import contents, targets

HERE = Path(__file__).parent
SLOW = 2.0
"""Seconds of processor time that no input of some kilobytes may take."""
_ESCAPE = re.compile(rb"\\x([0-9A-F]{2})|\\(.)")


@dataclass(frozen=True, slots=True)
class Target:
    """A grammar to be fuzzed by inputs of at most `longest` bytes; `check` says whether one was accepted."""

    check: Callable[[bytes], bool]
    longest: int = 4096

    @property
    def name(self) -> str:
        """What the function is called."""
        return self.check.__name__

    @property
    def dictionary(self) -> Path:
        """The words of the grammar, in libFuzzer's form: one a line, in quotes."""
        return HERE / "tokens" / f"{self.name}.dict"

    @property
    def corpus(self) -> Path:
        """The seeds, one a file: what begins with `good` is accepted, with `bad` it is not."""
        return HERE / "corpus" / self.name

    def judge(self, data: bytes) -> bool:
        """`check`, in bounded time."""
        begun = time.process_time()
        accepted = self.check(data)
        taken = time.process_time() - begun
        assert taken < SLOW, f"{taken:.1f} s for {len(data)} bytes"
        return accepted

    def tokens(self) -> list[bytes]:
        """The words of the grammar."""
        return [_plain(line[1:-1]) for line in self.dictionary.read_bytes().splitlines()]

    def seeds(self) -> dict[str, bytes]:
        """The inputs to begin with, by file name."""
        return {path.name: path.read_bytes() for path in sorted(self.corpus.iterdir())}


def _plain(quoted: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2], quoted)


TARGETS = {
    target.name: target
    for target in (
        Target(targets.yaml),
        Target(targets.json_text),
        Target(targets.settings),
        Target(targets.baseline),
        Target(targets.metadata),
        Target(targets.attributes),
        Target(targets.checksums),
        Target(targets.pointer, 1200),
        Target(targets.tree_object),
        Target(targets.event_name, 200),
        Target(targets.reference, 200),
        Target(targets.gate, 300),
        Target(targets.tag_object),
        Target(targets.message),
        Target(targets.armor),
        Target(targets.ssh_signature),
        Target(targets.status_lines, 1000),
        Target(targets.merge),
        Target(targets.secret),
        Target(targets.allowance, 600),
        Target(contents.model_file),
        Target(contents.expression, 400),
    )
}
