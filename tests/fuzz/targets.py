"""What is fuzzed: one function a grammar, bytes in, true when they were accepted.

A target lets every exception through but those that its reader declares, and asserts what holds for all that was
accepted: it is in canonical form, and what we write of it is read back as the same. `grammars.TARGETS` lists them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from strata_git import load
from strata_git.authoring import merge as merging
from strata_git.checks import baseline as baselines
from strata_git.checks import secret_shapes, secrets
from strata_git.checks.catalog import RULES
from strata_git.checks.engine import Judgement, judge_artifact, judge_workspace
from strata_git.checks.finding import Finding
from strata_git.checks.formats import to_json, to_text
from strata_git.config import SettingsError, as_plain, from_plain, load_settings
from strata_git.contracts import layout
from strata_git.contracts.gates import parse_gate
from strata_git.errors import printable
from strata_git.integrity import armor as armors
from strata_git.integrity import checksums as lists
from strata_git.integrity import gpg_status, ssh
from strata_git.ledger import names, record
from strata_git.load import Document, Unloadable, canonical_json, dump_json, dump_yaml, load_json, load_yaml
from strata_git.repo import lfs
from strata_git.repo.scan import parse_tree, render_tree
from strata_git.repo.tree import MemoryTree
from tests.support import artifacts

CUT = b"%%%\n"
"""Between the parts of an input that has several."""


# --- documents


def yaml(data: bytes) -> bool:
    """`load_yaml` reads, as its parser does, or says where it stops; what it read can be written, and is the same."""
    document = _loaded(load_yaml, data)
    assert repr(_loaded(lambda one: load._parsed(load._decode(one, 1 << 20), 64), data)) == repr(document)
    if document is None:
        return False
    assert all(1 <= line <= data.count(b"\n") + 2 for line in document.lines.values())
    assert set(document.lines) == set(_paths(document.value)) | {()} or document.value is None
    try:
        written = dump_yaml(document.value)
    except ValueError:
        return True  # a key of more than 1000 characters
    assert repr(load_yaml(written, limit=1 << 24, depth=80).value) == repr(document.value)
    assert dump_yaml(load_yaml(written, limit=1 << 24, depth=80).value) == written
    return True


def json_text(data: bytes) -> bool:
    """`load_json` reads nothing that the standard library doesn't, and reads the same."""
    document = _loaded(load_json, data)
    if document is None:
        return False
    assert repr(json.loads(data)) == repr(document.value)
    assert set(document.lines) <= set(_paths(document.value)) | {()}
    assert load_json(dump_json(document.value)).value == document.value
    canonical = canonical_json(document.value)
    assert canonical_json(load_json(canonical).value) == canonical
    return True


def settings(data: bytes) -> bool:
    """strata.yaml is understood whole or refused with a line."""
    try:
        read = load_settings(data)
    except SettingsError as error:
        _refused(error.message, error.complaint.line, data)
        return False
    assert from_plain(json.loads(json.dumps(as_plain(read)))) == read
    return True


def baseline(data: bytes) -> bool:
    """The baseline is a set of entries, written in one way."""
    try:
        entries = baselines.parse(data)
    except ValueError as error:
        _shown(str(error))
        return False
    assert baselines.parse(baselines.render(entries)) == entries
    return True


def metadata(data: bytes) -> bool:
    """The first line names the file, the rest is what it says: no document brings the judge down."""
    name, _, text = data.partition(b"\n")
    base = {"D": artifacts.dataset, "M": artifacts.model, "P": artifacts.prompt, "R": artifacts.run}
    kind, _, file = name.decode("latin-1").partition(":")
    if kind not in base or not file:
        return False
    files = base[kind]()
    artifact = layout.artifact_of(next(iter(files)))
    assert artifact is not None
    judged = judge_artifact(MemoryTree(files | {f"{artifact.path}/{file}": text}), artifact)
    _sound(judged)
    return not any(finding.severity == "error" for finding in judged.findings)


def attributes(data: bytes) -> bool:
    """.gitattributes, as far as the judge reads it."""
    files = {".gitattributes": data, "strata.yaml": b"", "datasets/iris/v1/a": b"", "runs/x": b""}
    findings = judge_workspace(MemoryTree(files))
    _told(findings)
    return all(finding.rule != "STR-L019" for finding in findings)


# --- lists and pointers


def checksums(data: bytes) -> bool:
    """CHECKSUMS.txt has one form: what is accepted is what would be written."""
    try:
        found = lists.parse(data)
    except lists.ChecksumError as error:
        _refused(error.message, error.line, data)
        return False
    assert lists.render(found) == data
    assert list(found) == sorted(found, key=str.encode)
    assert [lists.name_problem(name) for name in found] == [None] * len(found)
    assert lists.collisions(found) == []
    return True


def pointer(data: bytes) -> bool:
    """A Git LFS pointer has one form."""
    found = lfs.parse_pointer(data)
    if found is None:
        return False
    assert lfs.format_pointer(found.oid, found.size) == data
    assert lfs.looks_like_pointer(data)
    return True


def tree_object(data: bytes) -> bool:
    """A tree object's rows are written as they were read."""
    try:
        rows = parse_tree(data)
    except ValueError:
        return False
    if any(len(row.oid) != 40 for row in rows[-1:]):
        return False  # git hands over no tree that is cut short
    assert render_tree(rows) == data
    return True


# --- names


def event_name(data: bytes) -> bool:
    """The name of an event tag is read in one way, and is alike to one wherever it is one."""
    text = data.decode("utf-8", "surrogateescape")
    name = names.parse_name(text)
    kind, model = names.likeness(text)
    assert (kind == "event") == (name is not None)
    assert (kind == "foreign") == (model == "")
    if name is None:
        return False
    assert name.tag == text
    assert layout.NAME.fullmatch(name.model)
    assert model == name.model
    return True


def reference(data: bytes) -> bool:
    """A reference names an artifact whose own reference and path name it again."""
    text = data.decode("utf-8", "surrogateescape")
    inside = layout.artifact_of(text)
    if inside is not None:
        assert text == inside.path or text.startswith(inside.path + "/")
        if inside.version or inside.kind == "run":
            assert layout.artifact_of(inside.path) == inside
    try:
        found = layout.parse_reference(text)
    except ValueError as error:
        _shown(str(error))
        return False
    if found.version or found.kind == "run":
        artifact = found.artifact("model")
        assert layout.parse_reference(artifact.reference).artifact("dataset") == artifact
        assert layout.parse_reference(artifact.path).artifact("dataset") == artifact
        assert layout.artifact_of(artifact.path) == artifact
    return True


def gate(data: bytes) -> bool:
    """A metric gate keeps its text, and its bound is a number."""
    try:
        found = parse_gate(data.decode("utf-8", "replace"))
    except ValueError:
        return False
    assert found.bound is None or found.bound.is_finite()
    assert parse_gate(found.text) == found
    return True


# --- events


def tag_object(data: bytes) -> bool:
    """A tag object falls into what is signed and the signature; written anew it is the same."""
    try:
        tag = record.parse_tag(data)
    except record.TagError as error:
        _shown(str(error))
        return False
    assert tag.payload + tag.signature == data
    assert tag.payload.endswith(tag.message)
    written = record.format_tag(tag.target, tag.tag, tag.tagger, tag.when, tag.message)
    assert record.parse_tag(written + tag.signature).message == tag.message
    return True


def message(data: bytes) -> bool:
    """The message of an event: reason and record come back as they were written."""
    try:
        reason, found = record.parse_message(data)
    except record.RecordError as error:
        _shown(str(error))
        return False
    text = canonical_json(found.as_json()).decode()
    assert data.endswith(record.TRAILER.encode() + text.encode() + b"\n")
    assert record.parse_record(text) == found
    try:
        written = record.format_message("a sentence", reason, found)
    except ValueError:
        return True  # a reason that we would not have written
    assert record.parse_message(written) == (record.clean_reason(reason), found)
    return True


def armor(data: bytes) -> bool:
    """SIGNATURE.asc is blocks and nothing else; nothing is lost by adding nothing."""
    try:
        blocks = armors.split_blocks(data)
        held = [armors.packets(block) for block in blocks]
    except armors.ArmorError as error:
        _shown(str(error))
        return False
    assert b"".join(blocks) == data
    for packets in held:
        assert all(packet.data and packet.issuer == packet.issuer.upper() for packet in packets)
    assert armors.missing_blocks(data, data) == []
    if all(len(packets) == 1 for packets in held):
        assert armors.missing_blocks(data, None) == list(dict.fromkeys(blocks))
        _append(blocks)
    return True


def ssh_signature(data: bytes) -> bool:
    """An SSH signature names its key and namespace, or is none."""
    try:
        key, _ = ssh.read_signature(data)
        ssh.weak(key)
    except ValueError:
        return False
    assert key in _decoded(data)
    return True


def status_lines(data: bytes) -> bool:
    """gpg's status lines: good only with exactly the flags that say so."""
    lines = [words for line in data.split(b"\n") if (words := line.split(b" ")) and words[0]]
    packet = armors.Packet(b"", 0, 22, 10, "A" * 40, 0)
    verdict = gpg_status.judge(lines, packet)
    _shown(verdict.user + verdict.key_id)
    flags = [words[0] for words in lines]
    assert not verdict.good or (flags.count(b"GOODSIG"), flags.count(b"VALIDSIG"), flags.count(b"NEWSIG")) == (1, 1, 1)
    assert not verdict.good or not {b"BADSIG", b"ERRSIG", b"EXPSIG", b"EXPKEYSIG", b"REVKEYSIG"} & set(flags)
    return verdict.good


# --- others


def merge(data: bytes) -> bool:
    """Three versions of a document: merged the same from both sides, or not at all; one side alone wins."""
    base, _, rest = data.partition(CUT)
    ours, _, theirs = rest.partition(CUT)
    path = "experiments/a.json" if data.startswith(b"{") else "experiments/a.yaml"
    both = _merged(base, ours, theirs, path), _merged(base, theirs, ours, path)
    assert (both[0] is None) == (both[1] is None)
    alone = _merged(base, ours, base, path)
    if alone is not None:
        assert merging.same(_value(alone, path), _value(ours, path))
    if both[0] is None or both[1] is None:
        return False
    assert merging.same(_value(both[0], path), _value(both[1], path))
    return True


def secret(data: bytes) -> bool:
    """What looks like a secret stands where it is said to stand, and is never shown whole."""
    found = secret_shapes.scan(data)
    lines = data.count(b"\n") + 1
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for one in found:
        assert one.value
        assert wide or (one.value in data and 1 <= one.line <= lines)
        assert one.value.decode("latin-1") not in one.shown
    assert len(found) <= secret_shapes.MOST
    return bool(found)


def allowance(data: bytes) -> bool:
    """A pattern that a workspace may allow is matched in no time against anything."""
    word, _, value = data.partition(b"\n")
    text = word.decode("utf-8", "surrogateescape")
    said = secrets.complaint(text)
    if said is not None:
        return False
    passes = secrets.Allowance.of([text])
    assert not passes.matches(b"")
    for tried in (value, value[:1] * 200, value[:2] * 100, text[:1].encode("utf-8", "replace") * 199 + b"!"):
        passes.matches(tried)
    return True


# --- steps


def _loaded(reader: Callable[[bytes], Document], data: bytes) -> Document | None:
    try:
        return reader(data)
    except Unloadable as error:
        _refused(error.message, error.line, data)
        return None


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where everything in a value stands."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inside for place in _paths(item, (*path, key)))]


def _shown(text: str) -> None:
    """A sentence for people: one line, and nothing in it that a terminal would act on."""
    assert text == printable(text), repr(text)


def _refused(message: str, line: int, data: bytes) -> None:
    """What is said of an input that was not accepted: a sentence, and a line that is there or the end of all."""
    _shown(message)
    assert 0 <= line <= data.count(b"\n") + 2


def _sound(judged: Judgement) -> None:
    _told(judged.findings)
    assert json.loads(json.dumps(judged.summary)) == judged.summary


def _told(findings: Sequence[Finding]) -> None:
    """Findings are shown as lines that are safe for a terminal, and as JSON."""
    for line in to_text(findings).split("\n"):
        _shown(line)
    assert json.loads(to_json(findings))
    assert all(finding.line >= 0 and RULES[finding.rule] for finding in findings)


def _append(blocks: list[bytes]) -> None:
    try:
        made = armors.append_block(b"".join(blocks[:-1]) or None, blocks[-1])
    except armors.ArmorError:
        return  # the same key twice
    assert sorted(armors.split_blocks(made)) == sorted(blocks)


def _decoded(data: bytes) -> bytes:
    from base64 import b64decode

    return b64decode(b"".join(data.split(b"\n")[1:-2]))


def _merged(base: bytes, ours: bytes, theirs: bytes, path: str) -> bytes | None:
    try:
        return merging.merge_texts(base, ours, theirs, path)
    except (merging.Conflict, merging.Unmergeable) as error:
        _shown(str(error))
        return None


def _value(data: bytes, path: str) -> object:
    return (load_json if path.endswith(".json") else load_yaml)(data).value
