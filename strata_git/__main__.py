"""`python -m strata_git` is `git strata`."""

import sys

from strata_git.cli.main import main

sys.exit(main())
