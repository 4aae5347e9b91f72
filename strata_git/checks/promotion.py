"""Rules of the ledger: what a signed event must be (TFC-0009). `strata_git.ledger` judges by them."""

from __future__ import annotations

from strata_git.checks.rule import ERROR, INFO, WARNING, Rule

# fmt: off
RULES: tuple[Rule, ...] = (
    Rule("STR-P001", "0009-2.1", ERROR, "An event is an annotated, signed tag of a commit.",
         "delete the tag with `git tag -d`, or record the event again with `git strata promote`"),
    Rule("STR-P002", "0009-2.2", ERROR, "Ref name, tag header and record of an event say the same.",
         "do not rename or copy event tags: delete the copy with `git tag -d` and fetch the original"),
    Rule("STR-P003", "0009-2.3", ERROR, "An event's message ends with one readable Strata-Record line.",
         "record the event again with `git strata promote`"),
    Rule("STR-P004", "0009-2.4", ERROR, "An event's signature is valid and its signer may make it.",
         "import the signer's key after checking whose it is (`gpg --import KEY.asc`), or let a known signer do it"),
    Rule("STR-P005", "0009-2.5", ERROR, "An event names this repository.",
         "record the event here with `git strata promote`; events do not travel between repositories"),
    Rule("STR-P006", "0009-3.1", ERROR, "Every event names the one before it, and that one is there.",
         "fetch the missing tags: `git fetch --tags`; if they were deleted, restore them from another clone"),
    Rule("STR-P007", "0009-3.2", ERROR, "A model's events form one line.",
         "the model cannot move until one line is left: compare with another clone, and delete the tags of the other"),
    Rule("STR-P008", "0009-3.3", ERROR, "Stage events are numbered without gaps or repetitions.",
         "fetch all tags (`git fetch --tags`), then look at `git strata history MODEL`"),
    Rule("STR-P009", "0009-4.1", ERROR, "A version moves only along an allowed transition.",
         "promote stage by stage; `git strata stages` shows where the version is"),
    Rule("STR-P010", "0009-2.6", ERROR, "An event points at the commit that introduced the version.",
         "record the event again with `git strata promote` once the history is settled"),
    Rule("STR-P011", "0009-2.7", ERROR, "The digest in an event is that of the version's CHECKSUMS.txt.",
         "restore the version from the event's commit; if it was meant to change, make a new version"),
    Rule("STR-P012", "0009-4.2", ERROR, "A version that moves up has no errors.",
         "`git strata doctor` tells what is wrong with it"),
    Rule("STR-P013", "0009-4.3", ERROR, "A version that moves up carries the signatures asked for.",
         "`git strata sign PATH`, commit the signature, then promote"),
    Rule("STR-P014", "0009-4.4", ERROR, "A version that moves up is what HEAD holds.",
         "commit or undo the changes in the model's directory, then promote"),
    Rule("STR-P015", "0009-4.5", ERROR, "A version that moves up is no worse than the one it displaces.",
         "train a better version, or give the policy's tolerance to the metric"),
    Rule("STR-P016", "0009-3.4", ERROR, "Dates of a model's events increase and are not in the future.",
         "set the clock right and record the event again"),
    Rule("STR-P017", "0009-3.5", ERROR, "An event once seen here is neither moved nor gone.",
         "someone rewrote published tags: compare with another clone before trusting any stage"),
    Rule("STR-P018", "0009-5.1", WARNING, "Every note line repeats an event whose tag is there.",
         "fetch tags and notes together: `git fetch origin --tags refs/notes/strata:refs/notes/remotes/origin/strata`"),
    Rule("STR-P019", "0009-6.1", INFO, "A trust policy says who may promote.",
         "nothing to do: without a policy your own keyring says whose keys are known"),
    Rule("STR-P020", "0009-6.2", ERROR, "An event has the approvals its policy asks for.",
         "let the people the policy names approve"),
    Rule("STR-P021", "0009-3.6", WARNING, "The whole history is there when events are judged.",
         "`git fetch --unshallow`, then judge again"),
    Rule("STR-P022", "0009-3.7", ERROR, "The commit of an event stays on a branch where it is published.",
         "keep the branch, or merge it first; a version that was wrong is archived, not rewritten away"),
)
# fmt: on
