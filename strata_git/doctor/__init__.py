"""One verdict for any tree, range or push: facts gathered, rules applied, verdicts remembered by tree id."""
