"""A repository under a trust policy, its server, and tags made by hand: what attackers of a ledger have to work with.

`forest@v2` and then `forest@v1` are in staging. Alice, Bob and Mallory may bring a version there; into production two
of Alice and Bob must bring it. Lou is nobody. Alice's OpenPGP key has a second signing key.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from strata_git.ledger.record import Record, format_message
from tests.flows.kinds import strata
from tests.flows.server import EVERYTHING, HEAD, Server, guarded, workspace_with_models
from tests.ledger.court import TRUST, Court, rule
from tests.ledger.lab import Lab
from tests.support.builder import RepositoryBuilder, create
from tests.support.keys import PASSPHRASE, Keys

PEOPLE = ("alice", "bob", "mallory")
RULES = (
    rule("experimental", "staging", *PEOPLE),
    rule("staging", "production", "alice", "bob", threshold=2),
)
FIRST, SECOND, THIRD = "forest#staging#1", "forest@v1.0.0", "forest#staging#2"
"""Events after the first one, `forest@v2.0.0`."""
MALLORY = "Mallory Tester <mallory@example.org>"
ELSEWHERE = b"something else\n"


@dataclass(frozen=True, slots=True)
class Stand:
    """`court` is the repository, `server` what it pushes to; `subkey` is Alice's second key."""

    court: Court
    server: Server
    subkey: str
    made: dict[tuple[bytes, str], bytes] = field(default_factory=dict, repr=False)

    @property
    def repo(self) -> RepositoryBuilder:
        return self.court.repo

    @property
    def stages(self) -> dict[str, str]:
        return {version: placed.stage for version, placed in self.court.state(now=None).versions.items()}

    def told(self) -> set[tuple[str, str]]:
        return self.court.told(now=None)

    def when(self, tag: str = THIRD) -> int:
        """The date of an event, Unix time."""
        return int(self.repo.git("for-each-ref", "--format=%(taggerdate:unix)", f"refs/tags/{tag}"))

    def record(self, **changes: object) -> Record:
        """The first half of an honest move into production of the version that moved last, with `changes`."""
        head = self.court.state(now=None).head
        assert head is not None
        assert head.record is not None
        told = {"version": head.record.version, "policy": self.court.digests[-1], **changes}
        return self.court.record(**told)

    def packet(self, data: bytes, who: str) -> bytes:
        """A signature over `data`: `alice`, her `subkey`, `lou` whom nobody knows, `bad-bob` over something else."""
        signed, name = ELSEWHERE if who.startswith("bad-") else data, who.removeprefix("bad-")
        if (signed, name) in self.made:
            return self.made[signed, name]
        key = self.subkey if name == "subkey" else self.court.keys.fingerprint(_KEYS.get(name, name))
        secret = ("--pinentry-mode", "loopback", "--passphrase", PASSPHRASE if name == "lou" else "")
        words = (*secret, "--local-user", f"{key}!", "--detach-sign")
        return self.made.setdefault((signed, name), os.fsencode(self.court.keys.gpg(*words, stdin=signed).out))

    def forge(self, tag: str, record: Record, *signers: str, when: int = 0, tagger: str = MALLORY) -> str:
        """A tag object by no program of ours, signed by all `signers` in the order given, and its reference; its id."""
        payload = unsigned(tag, record, when or self.when() + record.seq, tagger)
        return placed(self.court, tag, payload + armored(b"".join(self.packet(payload, who) for who in signers)))

    def bring(self, *signers: str) -> tuple[str, str]:
        """The version that moved last (v1, in `forest#staging#2`) from staging into production, both tags signed by
        `signers`; their references."""
        leaving = self.record()
        number = leaving.seq
        prev = self.forge(f"forest#staging!#{number}", leaving, *signers)
        self.forge(f"forest#production#{number + 1}", replace(leaving, seq=number + 1, prev=prev), *signers)
        return f"refs/tags/forest#staging!#{number}", f"refs/tags/forest#production#{number + 1}"

    def resigned(self, tag: str, *signers: str) -> None:
        """The last event as if `signers` had made it."""
        event = next(each for each in self.court.state(now=None).events if each.tag == tag)
        assert event.record is not None
        self.repo.git("update-ref", HEAD, self.forge(tag, event.record, *signers, when=event.when))
        (self.repo.path / ".git/strata/seen.json").unlink()

    def unmade(self, *refs: str) -> None:
        """Take forged references away again."""
        for ref in refs:
            self.repo.git("update-ref", "-d", ref)

    def idle(self, rule_id: str, tag: str) -> None:
        """The rule is told of the tag, and nobody is in production."""
        assert (rule_id, tag) in self.told()
        assert "production" not in self.stages.values()

    def refused(self, rule_id: str, tag: str, *refs: str) -> str:
        """Told here with exit code 2, refused by the server, and nobody is in production; what was told."""
        self.idle(rule_id, tag)
        answer = strata(self.repo, "stages").expect(2)
        assert rule_id in answer.out + answer.err
        self.server.refuses(rule_id, "--atomic", *refs)
        return answer.out + answer.err


_KEYS = {"lou": "locked"}


def armored(data: bytes) -> bytes:
    """Packets in one block: git takes no more than one for a tag's signature."""
    return b"-----BEGIN PGP SIGNATURE-----\n\n" + encodebytes(data) + b"-----END PGP SIGNATURE-----\n"


def unsigned(tag: str, record: Record, when: int, tagger: str = MALLORY, sentence: str = "an event") -> bytes:
    """A tag object without its signature."""
    head = f"object {record.commit}\ntype commit\ntag {tag}\ntagger {tagger} {when} +0000\n\n"
    return head.encode() + format_message(sentence, "", record)


def placed(lab: Lab, tag: str, data: bytes) -> str:
    """Write a tag object, whatever it is, and its reference; its id."""
    oid = lab.repo.git("hash-object", "-w", "-t", "tag", "--stdin", stdin=data)
    lab.move_ref(tag, oid)
    return oid


def enact(stand: Stand, *signers: str, extra: Sequence[str] = (), **about: object) -> str:
    """The next version of the policy, with `RULES` unless told otherwise, committed; its digest."""
    court = stand.court
    data = court.text(*PEOPLE, *extra, **({"rules": RULES} | about))  # type: ignore[arg-type]
    court.place(data, *signers)
    court.repo.write({f"{TRUST}/keys/alice.asc": court.keys.gpg("--armor", "--export", court.keys.alice).out})
    court.repo.commit("Policy")
    court.digests.append("sha256:" + hashlib.sha256(data).hexdigest())
    return court.digests[-1]


def made(folder: Path, environ: dict[str, str], keys: Keys) -> Stand:
    """All of it, by our own commands and through the server's hook."""
    keys.add("mallory", "locked")
    secret = ("--pinentry-mode", "loopback", "--passphrase", "")
    keys.gpg(*secret, "--quick-add-key", keys.alice, "ed25519", "sign", "never")
    listed = keys.gpg("--list-keys", "--with-colons", keys.alice).out.split("\n")
    subkey = next(line.split(":")[9] for line in listed if line.startswith("fpr:") and keys.alice not in line)
    bare = guarded(create(folder / "server", environ, "--bare"))
    repo = create(folder / "repo", environ)
    workspace_with_models(repo)
    court = Court(repo, keys)
    stand = Stand(court, Server(bare, court), subkey)
    pin = enact(stand, "alice")
    repo.environ["STRATA_TRUST_PIN"] = pin
    bare.git("config", "strata.trustPin", pin)
    repo.git("remote", "add", "server", bare.path.as_uri())
    court.promote("v2", key=keys.alice, now=None)
    court.promote("v1", key=keys.fingerprint("mallory"), now=None)
    stand.server.accepts("--atomic", *EVERYTHING)
    return stand


def copied(whole: Stand, folder: Path, environ: dict[str, str], keys: Keys) -> Stand:
    """A stand of one's own; its keys replace those of `keys`."""
    shutil.rmtree(keys.home)
    shutil.copytree(whole.court.keys.home, keys.home, ignore=shutil.ignore_patterns("S.*", "*~", ".#*"))
    os.chmod(keys.home, 0o700)
    environ = environ | {"STRATA_TRUST_PIN": whole.repo.environ["STRATA_TRUST_PIN"]}
    found = {}
    for one in (whole.repo, whole.server.bare):
        shutil.copytree(one.path, folder / one.path.name, symlinks=True)
        found[one.path.name] = RepositoryBuilder(folder / one.path.name, environ, whole.repo.clock)
    found["repo"].git("remote", "set-url", "server", found["server"].path.as_uri())
    court = Court(found["repo"], keys, list(whole.court.digests))
    return Stand(court, Server(found["server"], court), whole.subkey)
