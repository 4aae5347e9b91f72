"""What people would put into names, cards and messages to make a page run something; and a repository full of it."""

from __future__ import annotations

from strata_git.load import dump_json, dump_yaml
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder

_RUN = "window.strataCanary.push('x')"
_MARKDOWN = (
    f"[click](javascript:{_RUN})",
    f"[click](JaVaScRiPt:{_RUN})",
    f"[click](java\tscript:{_RUN})",
    f"[click](&#106;avascript:{_RUN})",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[click](vbscript:msgbox(1))",
    "[click](//evil.example/x)",
    "[click](\\\\evil.example\\x)",
    "[click](file:///etc/passwd)",
    "[click](https://user:pass@evil.example/)",
    "![picture](https://evil.example/pixel.png)",
    f"![picture](javascript:{_RUN})",
    f'![x](x"onerror="{_RUN})',
    f"<javascript:{_RUN}>",
    f"[x]: javascript:{_RUN}\n\n[x]",
    f"```html\n<script>{_RUN}</script>\n```",
    f'```x" onclick="{_RUN}\ncode\n```',
    f"| a | b |\n|---|---|\n| <img src=x onerror={_RUN}> | b |",
    f"<details open ontoggle={_RUN}>x</details>",
    f'[a](<https://evil.example/" onmouseover="{_RUN}>)',
)
_TEXT = (
    f"<script>{_RUN}</script>",
    f"</script><script>{_RUN}</script>",
    f"</title><script>{_RUN}</script>",
    f"</style><script>{_RUN}</script>",
    f"<img src=x onerror={_RUN}>",
    f"<svg onload={_RUN}>",
    f"<svg><animate onbegin={_RUN} attributeName=x dur=1s>",
    f"\"><img src=x onerror={_RUN}>",
    f"' autofocus onfocus={_RUN} x='",
    f"<iframe srcdoc=\"<script>parent.{_RUN}</script>\"></iframe>",
    "<meta http-equiv=refresh content=\"0;url=https://evil.example/\">",
    "<base href=https://evil.example/>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    f"<form action=https://evil.example><button autofocus onfocus={_RUN}>x</button></form>",
    f"<math><mtext></p><img src=x onerror={_RUN}>",
    f"<object data=\"javascript:{_RUN}\">",
    f"<a href=\"javascript:{_RUN}\">click</a>",
    f"<body onload={_RUN}>",
    f"<video><source onerror={_RUN}></video>",
    "<style>@import 'https://evil.example/x.css';</style>",
    f"--><script>{_RUN}</script><!--",
    f"]]><script>{_RUN}</script>",
    f"{{{{constructor.constructor(\"{_RUN}\")()}}}}",
    f"${{{_RUN}}}",
    f"\u202e<script>{_RUN}</script>\u2066",
    f"<scr\u0000ipt>{_RUN}</scr\u0000ipt>",
    f"\ufeff<img/src/onerror={_RUN}>",
    f"%3Cscript%3E{_RUN}%3C/script%3E",
    f"&lt;script&gt;{_RUN}&lt;/script&gt;",
    f"<noscript><p title=\"</noscript><img src=x onerror={_RUN}>\">",
    f"<template><script>{_RUN}</script></template>",
    f"<input onfocus={_RUN} autofocus>",
)  # fmt: skip
PAYLOADS = (*_TEXT, *_MARKDOWN)


def numbered(number: int) -> str:
    """A payload that pushes its number; they go round."""
    return PAYLOADS[number % len(PAYLOADS)].replace("'x'", f"'p{number % len(PAYLOADS)}'")


def line(number: int) -> str:
    """A payload without what YAML and git would refuse: line ends, and characters that are no text."""
    kept = numbered(number).replace("\x00", "").replace("\ufeff", "").replace("\n", " ").replace("\t", " ")
    return kept.replace("\u202e", "").replace("\u2066", "")


def hostile(repo: RepositoryBuilder) -> RepositoryBuilder:
    """A repository in which every text that a page shows is a payload."""
    repo.workspace()
    _data(repo)
    _runs(repo)
    _models(repo)
    _prompt(repo)
    host = {"host": EVERY[1], "port": EVERY[2]}
    repo.write(artifacts.service(model=EVERY[0], api=host, description=EVERY[3]))
    repo.git("config", "user.name", line(4))
    for number in range(0, len(PAYLOADS), 6):
        name = f"runs/run-2026-01-06-{number + 1:03d}/run.yaml"
        repo.commit(" ".join(EVERY[number : number + 6]), {name: f"x: {number}\n"})
    _event(repo)
    return repo


EVERY = tuple(line(number) for number in range(len(PAYLOADS)))
DESCRIBED = {"description": " ".join(EVERY), "licence": EVERY[0], "created": EVERY[1]}
CARD = "\n\n".join(numbered(number) for number in range(len(PAYLOADS)))


def _data(repo: RepositoryBuilder) -> None:
    said = {
        "provenance": {"source": EVERY[2], "retrieved": EVERY[3], "process": EVERY[4], "parents": [{"ref": EVERY[5]}]},
        "splits": {text: {"path": text, "files": 1, "rows": 1, "bytes": 1} for text in EVERY[:12]},
        "schema": [{"name": text, "type": text} for text in EVERY[12:24]],
    }
    files = {f"{text.replace('/', '|').replace(chr(92), '|')[:120]}.csv": b"x" for text in EVERY[:40]}
    repo.dataset("iris", metadata=DESCRIBED | said, extra=files)


def _runs(repo: RepositoryBuilder) -> None:
    said = {
        "experiment": EVERY[6], "plugin": EVERY[7], "status": EVERY[8], "started": EVERY[9], "error": EVERY[10],
        "code": {"commit": "1" * 40, "dirty": True, "tree": EVERY[11]}, "inputs": [{"ref": text} for text in EVERY],
    }  # fmt: skip
    chosen = {"params": dict(zip(EVERY, EVERY, strict=True)), "tags": {EVERY[0]: EVERY[1]}}
    files = {
        "config.yaml": dump_yaml(chosen),
        "logs.txt": "\n".join(map(numbered, range(len(PAYLOADS)))).encode(),
        "system.json": dump_json({"platform": EVERY[0], "packages": dict.fromkeys(EVERY, EVERY[3])}),
        "artifacts/fake.png": b"<script>window.strataCanary.push('png')</script>",
    }
    figures = {text: number / 7 for number, text in enumerate(EVERY)}
    for number in (1, 2, 3):
        repo.run(f"run-2026-01-05-{number:03d}", metrics=figures, metadata=said, extra=files)


def _models(repo: RepositoryBuilder) -> None:
    said = {
        "framework": {"name": EVERY[2], "version": EVERY[3]}, "format": EVERY[4], "artifact": EVERY[5],
        "trusted_types": list(EVERY), "signature": {"inputs": [{"name": text, "type": text} for text in EVERY]},
    }  # fmt: skip
    measured = {text: {"value": 1, "direction": text, "split": text, "n": 1, "tolerance": 1} for text in EVERY}
    files = {
        "card.md": f"---\nlicense: x\n---\n{CARD}\n".encode(),
        "metrics.yaml": dump_yaml({"metrics": measured}),
    }
    for version in ("v1", "v2"):
        repo.model("forest", version, run="run-2026-01-05-001", metadata=DESCRIBED | said, extra=files)


def _prompt(repo: RepositoryBuilder) -> None:
    body = {
        "template": "\n".join(EVERY),
        "variables": [{"name": text, "type": text, "description": text, "default": text} for text in EVERY],
        "model": dict(zip(EVERY, EVERY, strict=True)),
        "tests": [{"name": EVERY[0], "variables": {EVERY[1]: EVERY[2]}, "contains": list(EVERY[3:5])}],
    }
    repo.prompt("summarise", metadata=DESCRIBED, extra={"prompt.yaml": dump_yaml(body)})


def _event(repo: RepositoryBuilder) -> None:
    """A tag that looks like a registration and whose message is malice."""
    tagger = line(0).replace("<", "(").replace(">", ")")
    head = f"object {repo.head}\ntype commit\ntag forest@v1.0.0\ntagger {tagger} <x@example.org> 1767700000 +0000\n\n"
    message = "\n".join(EVERY) + '\n\nStrata-Record: {"schema": "' + EVERY[0].replace('"', "'") + '"}\n'
    oid = repo.git("hash-object", "-t", "tag", "-w", "--stdin", "--literally", stdin=(head + message).encode())
    repo.git("update-ref", "refs/tags/forest@v1.0.0", oid)
