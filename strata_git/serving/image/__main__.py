"""`python -m strata_git.serving.image`: whether the bundle of an image opens, its golden predictions included."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from strata_git.errors import StrataError


def main() -> int:
    """One line a step on standard output; 0, or 2 where it is refused."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    from strata_git.serving.bundle import open_bundle
    from strata_git.serving.gate import NotServed
    from strata_git.serving.image.entry import BUNDLE, VARIABLE

    try:
        steps = open_bundle(Path(BUNDLE), os.environ.get(VARIABLE, ""), environ=os.environ).steps
    except NotServed as error:
        steps = error.steps
    except StrataError as error:
        sys.stdout.write(f"refused {error.message}\n")
        return 2
    for step in steps:
        sys.stdout.write(f"{step.verdict:8} {step.name}{f': {step.message}' if step.message else ''}\n")
    return 2 if steps[-1].verdict == "refused" else 0


if __name__ == "__main__":
    sys.exit(main())
