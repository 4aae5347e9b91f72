import sys

from strata_git.cli.main import main

sys.exit(main(["index", *sys.argv[1:]]))
