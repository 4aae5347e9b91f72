"""Lies told to what vouches: statements of freshness, the signed log, keys for model.sig, gates in notes."""

from __future__ import annotations

from tests.mutation.mutants import Mutant

TRUST = (
    Mutant(
        "ledger/freshness.py",
        "        if now > until or issued > now + AHEAD:\n",
        "        if issued > now + AHEAD:\n",
        "tests/ledger/test_assured.py",
        "a statement that ended vouches on",
    ),
    Mutant(
        "ledger/freshness.py",
        "if record is None or not is_signed(one.signatures) or record.repo != repository:\n            continue",
        "if record is None or record.repo != repository:\n            continue",
        "tests/ledger/test_assured.py",
        "anybody states that the ledger is whole",
    ),
    Mutant(
        "ledger/log.py",
        "            if before != change.old:\n",
        "            if before != change.old and before != NOTHING:\n",
        "tests/ledger/test_log.py",
        "an entry invents what a reference was",
    ),
    Mutant(
        "ledger/log.py",
        "    if not entry.who:\n",
        "    if not entry.who and not entry.parent:\n",
        "tests/ledger/test_log.py",
        "nobody signs the later entries of the log",
    ),
    Mutant(
        "ledger/log.py",
        "        elif now != NOTHING and is_forward(ref, held, now):\n",
        "        elif now == NOTHING or is_forward(ref, held, now):\n",
        "tests/ledger/test_log.py",
        "what vanished without an entry is not told",
    ),
    Mutant(
        "ledger/log.py",
        '    if head["tree"].decode() != empty_tree:\n',
        '    if head["tree"].decode() == "":\n',
        "tests/ledger/test_log.py",
        "files get in by an entry of the log",
    ),
    Mutant(
        "integrity/oms_people.py",
        "    if principal_of(policy, name, now) is None:\n",
        "    if policy is None:\n",
        "tests/authoring/test_oms_people.py::test_a_key_by_which_nobody_vouches_now",
        "a revoked key goes on signing models",
    ),
    Mutant(
        "ledger/statement.py",
        'result = {"result": "FAILED" if failed else "PASSED",',
        'result = {"result": "PASSED",',
        "tests/ledger/test_statement.py::test_each_metric_gate_is_told_by_itself",
        "a note says passed where a gate failed",
    ),
)
