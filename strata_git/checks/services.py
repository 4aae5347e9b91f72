"""Services: one file that says which model answers to whom, and predictions that must come out again (TFC-0012).

A service is judged from its directory alone; whether its model is there, and has the columns that the golden
predictions name, from the summaries of both.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping

from strata_git.checks.citations import full
from strata_git.checks.documents import Reading, read_document
from strata_git.checks.exhibit import Account, Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import dig, items, text
from strata_git.checks.python_source import Unparsable, functions, parse_source
from strata_git.contracts.layout import GOLDEN, parse_reference

PREDICT, MODEL_R = "model-service/predict.py", "model-service/model.R"
Summary = Mapping[str, object]


def judge(exhibit: Exhibit, record: Reading) -> Account:
    """Judge a service by service.yaml, its golden predictions and its own code."""
    account = Account()
    if not record.present:
        account.findings.append(found("STR-V001", record.path, "is missing"))
        return account
    account.findings.extend(_judge_name(exhibit, record))
    account.findings.extend(_judge_access(record))
    account.findings.extend(_judge_code(exhibit, record))
    golden = _golden(exhibit, record)
    account.findings.extend(golden.findings)
    account.findings.extend(_judge_golden(record, golden))
    account.facts.update(_summarise(record, golden))
    return account


def judge_served(summaries: Mapping[str, Summary], touched: Collection[str] | None) -> Iterator[Finding]:
    """Judge the golden predictions of every service (or those `touched`, or whose model is) by the model's columns."""
    for reference, summary in summaries.items():
        golden = summary.get("golden")
        target = text(dig(golden, "model"))
        if summary.get("kind") != "service" or target is None:
            continue
        if touched is not None and reference not in touched and target not in touched:
            continue
        place = f"{text(summary.get('path'))}/{text(dig(golden, 'file'))}"
        model = summaries.get(target)
        if model is None:
            yield found("STR-V003", place, f"{target} is not in the repository")
        else:
            yield from _judge_columns(place, golden, target, model)


def stage_of(summary: Summary) -> tuple[str, str] | None:
    """Model and stage of a service that serves whatever is in a stage; None where it names a version."""
    given = text(summary.get("model"))
    try:
        parsed = parse_reference(given, kind="model") if given else None
    except ValueError:
        return None
    return (parsed.name, parsed.stage) if parsed and parsed.stage else None


def judge_stage(
    place: str, served: tuple[str, str], *, has_model: bool, entered: bool, events: bool
) -> Iterator[Finding]:
    """Judge a service that serves a stage. `has_model`: some version is there; `entered`: some event brought one into
    the stage; `events`: there are events at all, without which a clone cannot know and says so as information."""
    model, stage = served
    if not has_model:
        yield found("STR-V003", place, f"models/{model} is not in the repository")
    elif not entered:
        message = f"no event here brings a version of {model} into {stage}"
        yield found("STR-V008", place, message, severity="" if events else "info")


def _judge_name(exhibit: Exhibit, record: Reading) -> Iterator[Finding]:
    name = text(record.value.get("name"))
    if name is not None and name != exhibit.artifact.name:
        message = f"name is '{name}', the directory is '{exhibit.artifact.name}'"
        yield found("STR-V002", record.path, message, line=record.line("name"))


def _judge_access(record: Reading) -> Iterator[Finding]:
    host = text(dig(record.value, "api", "host"))
    auth = dig(record.value, "api", "auth")
    asked = bool(items(dig(auth, "keys"))) or dig(auth, "oidc") is not None
    if host is not None and not is_loopback(host) and not asked:
        message = f"'{host}' can be reached from other machines, and nobody is asked for a key or token"
        yield found("STR-V005", record.path, message, line=record.line("api", "host"))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address. A name that begins like one is a name."""
    from ipaddress import ip_address  # for services alone: a commit without one loads it not

    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _judge_code(exhibit: Exhibit, record: Reading) -> Iterator[Finding]:
    """What the service brings of its own: hooks in Python (optional), the model's functions in R (needed)."""
    if record.value.get("lang") == "r" and MODEL_R not in exhibit.entries:
        yield found("STR-V007", exhibit.path(MODEL_R), "is missing: it defines load() and predict(model, data)")
    content = exhibit.contents.get(PREDICT)
    if content is None or content.stored != "blob":
        return
    try:
        tree = parse_source(exhibit.read(PREDICT))
    except Unparsable as error:
        yield found("STR-V007", exhibit.path(PREDICT), str(error), line=error.line)
        return
    if not {"load", "predict"} & {function.name for function in functions(tree)}:
        yield found("STR-V007", exhibit.path(PREDICT), "defines neither load() nor predict()")
    yield from _judge_arguments(exhibit, tree)


def _judge_arguments(exhibit: Exhibit, tree: ast.Module) -> Iterator[Finding]:
    for function in functions(tree):
        wanted = {"load": 1, "predict": 2}.get(function.name)
        given = len(function.args.posonlyargs) + len(function.args.args)
        if wanted is not None and given != wanted and function.args.vararg is None:
            message = f"{function.name}() takes {given} arguments, it is called with {wanted}"
            yield found("STR-V007", exhibit.path(PREDICT), message, line=function.lineno)


def _golden(exhibit: Exhibit, record: Reading) -> Reading:
    name = text(dig(record.value, "golden", "file")) or GOLDEN
    if name in exhibit.entries:
        return read_document(exhibit, name, as_name=GOLDEN)
    return Reading(exhibit.path(name), present=False)


def _judge_golden(record: Reading, golden: Reading) -> Iterator[Finding]:
    if not golden.present:
        yield found("STR-V004", golden.path, "is missing: nothing shows that the service answers rightly")
        return
    serves, made_with = text(record.value.get("model")), text(golden.value.get("model"))
    if serves is None or made_with is None:
        return
    try:
        one, other = parse_reference(serves, kind="model"), parse_reference(made_with, kind="model")
    except ValueError:
        return  # the contract complained
    if one.name != other.name or one.version not in (None, other.version):
        message = f"were made with {made_with}, the service answers with {serves}"
        yield found("STR-V006", golden.path, message, line=golden.line("model"))


def _judge_columns(place: str, golden: object, target: str, model: Summary) -> Iterator[Finding]:
    for side in ("inputs", "outputs"):
        wanted = {name for item in items(dig(model.get("signature"), side)) if (name := text(item))}
        given = {name for item in items(dig(golden, side)) if (name := text(item))}
        if wanted and given and (lost := sorted(given - wanted)):
            yield found("STR-V006", place, f"{side} name '{lost[0]}', which {target} does not have")
        if wanted and given and side == "inputs" and (lost := sorted(wanted - given)):
            yield found("STR-V006", place, f"{side} lack '{lost[0]}', which {target} needs")


def _summarise(record: Reading, golden: Reading) -> dict[str, object]:
    model = text(record.value.get("model"))
    routes = [text(dig(route, "model")) for route in items(record.value.get("routes"))]
    exact = [full(given, "model") for given in (model, *routes) if given]
    told: dict[str, object] = {
        "model": model,
        "description": text(record.value.get("description")) or "",
        "inputs": [{"ref": one} for one in dict.fromkeys(exact) if _is_exact(one)],
    }
    made_with = text(golden.value.get("model"))
    if made_with is not None:
        told["golden"] = {
            "file": golden.path.partition("/")[2].partition("/")[2],
            "model": full(made_with, "model"),
            "inputs": items(dig(golden.value, "inputs", "columns")),
            "outputs": items(dig(golden.value, "outputs", "columns")),
        }
    return told


def _is_exact(reference: str) -> bool:
    try:
        return parse_reference(reference).version is not None
    except ValueError:
        return False
