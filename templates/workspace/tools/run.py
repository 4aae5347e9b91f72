import sys

from strata_git.cli.main import main

sys.exit(main(["run", *sys.argv[1:]]))
