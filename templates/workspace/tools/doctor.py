import sys

from strata_git.cli.main import main

sys.exit(main(["doctor", *sys.argv[1:]]))
