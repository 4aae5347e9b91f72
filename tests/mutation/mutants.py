"""Small lies told to the code, each of which a test must catch. `test_mutants.py` tells them one by one.

Listed are the guarantees that the house stands on; what dies here by accident is no guarantee. The tests named run in
one process on the altered package, so none of them may start `git strata` as a program of its own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """In `file` (below strata_git/) `old`, which is there once, becomes `new`; then `tests` fail. `why` it matters."""

    file: str
    old: str
    new: str
    tests: str
    why: str

    @property
    def room(self) -> str:
        return self.file.partition("/")[0]

    @property
    def label(self) -> str:
        """How the mutant is called in the list of tests."""
        return f"{self.file.removesuffix('.py')} {self.why}".replace(" ", "-")


CHECKS = (
    Mutant(
        "checks/checksums.py",
        "if content is not None and content.sha256 != listed:",
        'if content is not None and content.stored == "blob" and content.sha256 != listed:',
        "tests/checks/test_checksums.py",
        "a pointer to other bytes passes",
    ),
    Mutant(
        "checks/checksums.py",
        "for name in sorted(there - sums.keys()):",
        'for name in sorted(name for name in there - sums.keys() if "/" not in name):',
        "tests/checks/test_checksums.py",
        "an unlisted file hides in a subdirectory",
    ),
    Mutant(
        "checks/checksums.py",
        '("name", artifact.name), ("version", artifact.version))',
        '("name", artifact.name))',
        "tests/checks/test_checksums.py",
        "a signed version passes for another number",
    ),
    Mutant(
        "checks/immutability.py",
        "        if old == new:\n",
        "        if old is not None and new is not None and old[1] == new[1]:\n",
        "tests/checks/test_immutability.py",
        "a released file becomes executable or a link",
    ),
    Mutant(
        "checks/immutability.py",
        "base = _bound(change.before if released is None else released, artifact)",
        "base = _bound(change.before, artifact)",
        "tests/checks/test_immutability.py",
        "a change is legal once it was committed",
    ),
    Mutant(
        "checks/immutability.py",
        "bool(missing_blocks(before, after))",
        "len(after) < len(before)",
        "tests/checks/test_immutability.py",
        "one signature is exchanged for another",
    ),
    Mutant(
        "checks/immutability.py",
        "if len(versions) > 1:",
        "if len(versions) > 2:",
        "tests/checks/test_immutability.py",
        "a commit introduces two versions of a model",
    ),
    Mutant(
        "checks/signatures.py",
        "if required and not is_signed(verdicts or ()):",
        "if required and verdicts is not None and not is_signed(verdicts):",
        "tests/checks/test_signatures.py",
        "without a verifier everything counts as signed",
    ),
    Mutant(
        "checks/exhibit.py",
        '"judged": not exhibit.absent,',
        '"judged": True,',
        "tests/checks/test_checksums.py",
        "a verdict on absent objects is kept",
    ),
    Mutant(
        "checks/layout.py",
        'normalize("NFC", whole.casefold())',
        'normalize("NFC", whole)',
        "tests/checks/test_layout.py",
        "names that differ by case live side by side",
    ),
    Mutant(
        "checks/references.py",
        "if recorded is not None and true is not None and recorded != true:",
        'if key == "digest" and recorded is not None and true is not None and recorded != true:',
        "tests/checks/test_references.py",
        "a model cites data whose content is another",
    ),
    Mutant(
        "checks/references.py",
        "if touched is None or reference in touched or target in touched:",
        "if touched is None or reference in touched:",
        "tests/checks/test_references.py",
        "removing data does not judge what cites it",
    ),
    Mutant(
        "checks/engine.py",
        "        return 2 if strict else 1\n",
        "        return 1\n",
        "tests/checks/test_formats.py",
        "strict lets warnings pass",
    ),
)

INTEGRITY = (
    Mutant(
        "integrity/checksums.py",
        '    if len(data) > SIZE_LIMIT:\n        raise ChecksumError(f"the list has',
        '    if len(data) >= SIZE_LIMIT:\n        raise ChecksumError(f"the list has',
        "tests/integrity/test_checksums.py",
        "a list of just the size allowed is refused",
    ),
    Mutant(
        "integrity/checksums.py",
        'if not joined.isprintable() or "\\\\" in joined or not is_normalized("NFC", joined):',
        'if not joined.isprintable() or "\\\\" in joined:',
        "tests/integrity/test_checksums.py",
        "a name in another normal form is listed",
    ),
    Mutant(
        "integrity/checksums.py",
        "return name.lower() if name.isascii() else",
        "return name if name.isascii() else",
        "tests/integrity/test_checksums.py",
        "paths that collide without case are listed",
    ),
    Mutant(
        "integrity/checksums.py",
        "if before >= name:",
        "if before == name:",
        "tests/integrity/test_checksums.py",
        "equal content has two lists, hence two identities",
    ),
    Mutant(
        "integrity/checksums.py",
        "about = EXCLUDED | {METADATA} | (",
        "about = EXCLUDED | (",
        "tests/integrity/test_checksums.py",
        "the content hash covers the words about it",
    ),
    Mutant(
        "integrity/signer.py",
        'return "good" in statuses and statuses.isdisjoint(_SPOILING)',
        'return any(status == "good" for status in statuses)',
        "tests/integrity/test_signer.py",
        "a bad signature beside a good one counts",
    ),
    Mutant(
        "integrity/gpg_status.py",
        'if words[9] != "00":',
        'if words[9] not in {"00", "01"}:',
        "tests/integrity/test_gpg_status.py",
        "text signatures, blind to line ends, count",
    ),
    Mutant(
        "integrity/gpg_status.py",
        "STRONG_HASHES = frozenset([8, 9, 10])",
        "STRONG_HASHES = frozenset([2, 8, 9, 10])",
        "tests/integrity/test_gpg_status.py",
        "SHA-1 counts",
    ),
    Mutant(
        "integrity/gpg_status.py",
        "if len(flags) != 1 or groups != 1 or len(valid) > 1:",
        "if not flags or groups != 1 or len(valid) > 1:",
        "tests/integrity/test_gpg_status.py",
        "two verdicts on one signature are read as one",
    ),
    Mutant(
        "integrity/armor.py",
        "match = _BLOCK.match(armored, position)",
        "match = _BLOCK.search(armored, position)",
        "tests/integrity/test_armor.py",
        "bytes hide between signatures",
    ),
    Mutant(
        "integrity/armor.py",
        "any(packet.data not in after for packet in held)",
        "all(packet.data not in after for packet in held)",
        "tests/integrity/test_armor.py",
        "one of two joined signatures is taken away",
    ),
    Mutant(
        "integrity/digest.py",
        "_FILE = os.O_RDONLY | os.O_NOFOLLOW |",
        "_FILE = os.O_RDONLY |",
        "tests/integrity/test_digest.py",
        "a link is hashed as what it points at",
    ),
)

LEDGER = (
    Mutant(
        "ledger/names.py",
        "(!?)#([1-9][0-9]{{0,8}})",
        "(!?)#([0-9]{{1,9}})",
        "tests/ledger/test_names.py",
        "one event has two names",
    ),
    Mutant(
        "ledger/record.py",
        "    if canonical != text:\n",
        "    if json.loads(canonical) != value:\n",
        "tests/ledger/test_record.py",
        "a record with a doubled key is read in two ways",
    ),
    Mutant(
        "ledger/record.py",
        "if present != expected:",
        "if not present >= expected:",
        "tests/ledger/test_record.py",
        "a record says more than anybody reads",
    ),
    Mutant(
        "ledger/record.py",
        "    if len(armor) > 1:\n",
        "    if len(armor) > 2:\n",
        "tests/ledger/test_record.py",
        "a tag has two signatures, and ours is not git's",
    ),
    Mutant(
        "ledger/state.py",
        "and event.name.seq != last + 1:",
        "and event.name.seq <= last:",
        "tests/ledger/test_state.py",
        "a number is skipped and nobody asks for the event",
    ),
    Mutant(
        "ledger/state.py",
        "line.heads, highest + 1,",
        "line.heads, highest,",
        "tests/ledger/test_state.py",
        "the next event repeats the last number",
    ),
    Mutant(
        "ledger/state.py",
        "event.when <= before.when",
        "event.when < before.when",
        "tests/ledger/test_state.py",
        "two events have one date, so other tools see another order",
    ),
    Mutant(
        "ledger/moves.py",
        "        if event.signed:\n            self._follow(event)",
        "        if event.signatures:\n            self._follow(event)",
        "tests/ledger/test_state.py",
        "an event with a bad signature moves a version",
    ),
    Mutant(
        "ledger/line.py",
        "        if root is not None:\n            reason",
        "        if root is None:\n            reason",
        "tests/ledger/test_state.py",
        "an event was deleted from the middle unnoticed",
    ),
    Mutant(
        "ledger/line.py",
        "_counted(siblings)) > 1}",
        "_counted(siblings)) > 2}",
        "tests/ledger/test_state.py",
        "two people promote at once and both are right",
    ),
    Mutant(
        "ledger/event.py",
        "elif evidence.digest != record.digest:",
        "elif evidence.digest is None:",
        "tests/ledger/test_state.py",
        "an event vouches for other content than it names",
    ),
    Mutant(
        "ledger/event.py",
        "if repository and record.repo != repository:",
        "if not repository and record.repo != repository:",
        "tests/ledger/test_state.py",
        "an event of another repository is replayed here",
    ),
    Mutant(
        "ledger/moves.py",
        "if record.target == PRODUCTION and rival != record.version:",
        "if record.target == PRODUCTION and rival is None:",
        "tests/ledger/test_state.py",
        "two versions are in production",
    ),
    Mutant(
        "ledger/gate.py",
        "elif facts.signing_required and not is_signed(facts.signatures):",
        "elif facts.signing_required and not facts.signatures:",
        "tests/ledger/test_gate.py",
        "a signature by nobody we know opens the gate",
    ),
    Mutant(
        "ledger/gate.py",
        "if facts.released is None or facts.digest != facts.released:",
        "if facts.digest is None or facts.released is None:",
        "tests/ledger/test_gate.py",
        "what was never released is promoted",
    ),
    Mutant(
        "ledger/stages.py",
        "    (STAGING, PRODUCTION),\n",
        "    (STAGING, PRODUCTION),\n    (EXPERIMENTAL, PRODUCTION),\n",
        "tests/ledger/test_stages.py",
        "a version skips staging",
    ),
)

CONTRACTS = (
    Mutant(
        "contracts/layout.py",
        'VERSION = re.compile(r"v[1-9][0-9]{0,8}")',
        'VERSION = re.compile(r"v[0-9]{1,9}")',
        "tests/contracts/test_layout.py",
        "v01 and v1 are two versions of one number",
    ),
    Mutant(
        "contracts/layout.py",
        '    if not NAME.fullmatch(name):\n        return None\n    if kind == "service":',
        '    if not NAME.match(name):\n        return None\n    if kind == "service":',
        "tests/contracts/test_layout.py",
        "a name ends with a line break",
    ),
    Mutant(
        "contracts/layout.py",
        "if root not in KINDS or (kind is not None and KINDS[root] != kind):",
        "if root not in KINDS:",
        "tests/contracts/test_layout.py",
        "a model is taken where a dataset was asked for",
    ),
    Mutant(
        "contracts/base.py",
        'model_config = ConfigDict(extra="forbid", strict=True, frozen=True)',
        'model_config = ConfigDict(extra="ignore", strict=True, frozen=True)',
        "tests/contracts/test_base.py",
        "a misspelt key is passed over",
    ),
    Mutant(
        "contracts/words.py",
        'if value.startswith("/") or ".." in parts:',
        'if value.startswith("/"):',
        "tests/contracts/test_base.py",
        "a path leads out of the artifact",
    ),
    Mutant(
        "contracts/words.py",
        "        finite = math.isfinite(value)\n",
        "        finite = abs(value) != math.inf\n",
        "tests/contracts/test_base.py",
        "NaN is a metric, and worse than nothing",
    ),
    Mutant(
        "contracts/dataset.py",
        "files: int = Field(ge=1)",
        "files: int = Field(ge=0)",
        "tests/contracts/test_base.py",
        "a split has no files",
    ),
    Mutant(
        "contracts/run.py",
        'self.finished.rstrip("Z") < self.started.rstrip("Z")',
        'self.finished.rstrip("Z") > self.started.rstrip("Z")',
        "tests/contracts/test_documents.py",
        "a run ends before it begins",
    ),
)

MUTANTS = (*CHECKS, *INTEGRITY, *LEDGER, *CONTRACTS)
LEAST = {"checks": 9, "integrity": 8, "ledger": 8, "contracts": 5}
"""Room -> so many mutants at least."""
