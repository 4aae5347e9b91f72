"""Lies told to the readers and to the memory of verdicts; `mutants.py` has those about judgement."""

from __future__ import annotations

from tests.mutation.mutants import Mutant

READERS = (
    Mutant(
        "load.py",
        "        if key in mapping:\n",
        "        if key in mapping and not plain:\n",
        "tests/test_load.py::test_refused_yaml_is_located",
        "the last of two equal keys wins",
    ),
    Mutant(
        "load.py",
        '    if event.anchor is not None:\n            raise Unloadable("anchors (&name) are not allowed", line)\n',
        "    if event.anchor is not None:\n            pass\n",
        "tests/test_load.py::test_refused_yaml_is_located",
        "an anchor is passed over",
    ),
    Mutant(
        "load.py",
        "    _guard_brackets(data, depth)\n",
        "",
        "tests/test_load.py::test_refused_json",
        "JSON nests as deep as it likes",
    ),
    Mutant(
        "canonical.py",
        'keys = sorted(value, key=lambda key: str(key).encode("utf-16-be", "surrogatepass"))',
        "keys = sorted(value, key=str)",
        "tests/properties/test_readers.py::test_canonical_json_is_that_of_rfc_8785",
        "others sort the keys of what is signed otherwise",
    ),
    Mutant(
        "canonical.py",
        "    elif -6 < point <= 0:\n",
        "    elif -5 < point <= 0:\n",
        "tests/properties/test_readers.py::test_canonical_json_is_that_of_rfc_8785",
        "others write a small number otherwise",
    ),
    Mutant(
        "contracts/layout.py",
        '    if kind == "run":\n        raise',
        '    if kind == "runs":\n        raise',
        "tests/contracts/test_layout.py",
        "anything is a run, and has versions",
    ),
    Mutant(
        "integrity/gpg_status.py",
        'if line[0] == b"VALIDSIG"]',
        'if line[0] == b"VALIDSIG" and len(line) >= _VALID_WORDS]',
        "tests/integrity/test_gpg_status.py",
        "a second VALIDSIG is passed over because it is cut short",
    ),
    Mutant(
        "checks/secrets.py",
        'groups = bare.count("(") if "|" in bare else 0',
        "groups = 0",
        "tests/checks/test_secrets.py",
        "a pattern keeps a server busy for years",
    ),
    Mutant(
        "repo/lfs.py",
        rb"size ([1-9][0-9]{0,18})".decode(),
        rb"size ([0-9]{1,19})".decode(),
        "tests/repo/test_lfs.py",
        "a pointer has two spellings",
    ),
    Mutant(
        "doctor/cache.py",
        " for key, value in rows if _is_whole(value))",
        " for key, value in rows)",
        "tests/doctor/test_doors.py",
        "a flipped bit in the cache is a verdict",
    ),
    Mutant(
        "doctor/cache.py",
        '"DELETE FROM kept"',
        '"SELECT 1"',
        "tests/properties/test_found.py",
        "rebuilding forgets nothing",
    ),
    Mutant(
        "doctor/judgements.py",
        'return f"{RULESET}:{artifact.path}:{oid}"',
        'return f"{RULESET}:{oid}"',
        "tests/doctor/test_cache.py",
        "one verdict serves two places",
    ),
    Mutant(
        "doctor/judge.py",
        "                places |= AROUND_ALL",
        "                places |= set()",
        "tests/properties/test_found.py",
        "a push does not hear what the commit hook said",
    ),
    Mutant(
        "doctor/subject.py",
        "    roots = _staged_roots(repo, head, changes)\n",
        "    roots: frozenset[str] = frozenset()\n",
        "tests/properties/test_found.py",
        "attributes that rewrite bytes pass the hook",
    ),
)
