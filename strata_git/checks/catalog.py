"""Every rule there is, in one table. A rule that is not listed here cannot be reported."""

from __future__ import annotations

import hashlib

from strata_git.checks import promotion
from strata_git.checks.rule import ERROR, INFO, WARNING, Rule

__all__ = ["ENGINE_REVISION", "RULES", "RULESET", "Rule"]

ENGINE_REVISION = 1
"""Raised by hand when a rule's code starts to judge differently, so that no verdict of before is reused."""

# fmt: off
_TABLE: tuple[Rule, ...] = (
    # Layout: names and places (TFC-0001)
    Rule("STR-L001", "0001-3.1", ERROR, "Names hold no control or direction-changing characters.",
         "rename it: `git mv`"),
    Rule("STR-L002", "0001-3.1", ERROR, "Names are UTF-8.",
         "rename it: `git mv`"),
    Rule("STR-L003", "0001-3.2", ERROR, "No file is called `-`.",
         "rename it: `git mv -- {path} NEW-NAME`"),
    Rule("STR-L004", "0001-3.3", ERROR, "No two names differ only by case or Unicode composition.",
         "rename one of the two: `git mv {path} NEW-NAME`"),
    Rule("STR-L005", "0001-3.4", ERROR, "Names can be checked out on every system.",
         "rename it: `git mv {path} NEW-NAME`"),
    Rule("STR-L006", "0001-3.4", ERROR, "No name ends with a dot or a space.",
         "rename it: `git mv {path} NEW-NAME`"),
    Rule("STR-L007", "0001-3.5", WARNING, "Paths are at most 240 bytes long, names at most 255 bytes.",
         "shorten the path: `git mv {path} SHORTER`"),
    Rule("STR-L008", "0001-3.6", ERROR, "Artifacts hold no symbolic links.",
         "`git rm --cached {path}`, then put the file itself in the link's place"),
    Rule("STR-L009", "0001-3.6", ERROR, "Artifacts hold no submodules.",
         "`git rm --cached {path}` and add its files instead"),
    Rule("STR-L010", "0001-2.2", ERROR, "Files lie in an artifact's directory, not beside it.",
         "move it into a version directory, or out of the artifact roots"),
    Rule("STR-L011", "0001-2.3", ERROR, "An artifact's name is lower-case letters and digits joined by - or _.",
         "rename the directory: `git mv {path} NEW-NAME`"),
    Rule("STR-L012", "0001-2.4", ERROR, "A version directory is called v1, v2, and so on.",
         "rename the directory: `git mv {path} v1`"),
    Rule("STR-L013", "0001-2.5", ERROR, "A run's directory is called run-YYYY-MM-DD-NNN.",
         "rename the directory; `git strata run` makes such names"),
    Rule("STR-L014", "0001-2.1", INFO, "The repository has its artifact roots.",
         "nothing to do: the directory appears with its first artifact"),
    Rule("STR-L015", "0001-4.1", WARNING, "The workspace has its settings, strata.yaml.",
         "`git strata init`"),
    Rule("STR-L016", "0001-4.1", ERROR, "strata.yaml can be read.",
         "mend the line named; `git strata config` shows what is in force"),
    Rule("STR-L017", "0001-3.3", ERROR, "Names are in Unicode's composed form (NFC).",
         "rename it with composed characters: `git mv`"),
    Rule("STR-L018", "0001-3.7", ERROR, "No name in an artifact begins with `.git`.",
         "`git rm --cached {path}`; keep Git's own files outside artifacts"),
    Rule("STR-L019", "0001-4.2", WARNING, "Git attributes keep the artifacts' bytes as they are.",
         "add a line to .gitattributes, such as `datasets/** -text`"),
    Rule("STR-L020", "0001-4.3", ERROR, "Settings, trust policy and roots are no links and have no twins.",
         "`git rm {path}`"),
    # Documents that cannot be read (TFC-0006)
    Rule("STR-Y001", "0006-3.1", ERROR, "Contract files are plain, safe YAML or JSON.",
         "mend the file at the line named"),
    Rule("STR-Y002", "0006-3.2", ERROR, "Contract files say what the contract asks.",
         "mend the field named; the contract lists what belongs there"),
    Rule("STR-Y003", "0006-3.3", INFO, "What is judged is here (not judged: object absent).",
         "fetch the missing objects (`git fetch --refetch`), then judge again"),
    Rule("STR-Y004", "0006-3.4", ERROR, "Contract files are at most 1 MiB.",
         "move the data into a payload file"),
    Rule("STR-Y005", "0006-3.5", ERROR, "A version has its metadata.yaml.",
         "write {artifact}/metadata.yaml, then `git strata checksum {artifact}`"),
    # Datasets (TFC-0004)
    Rule("STR-D001", "0004-4.1", ERROR, "Every split has its files.",
         "add the files, or take the split out of {artifact}/metadata.yaml"),
    Rule("STR-D002", "0004-4.2", ERROR, "A split counts its files and bytes rightly.",
         "`git strata checksum {artifact}`"),
    Rule("STR-D003", "0004-4.3", WARNING, "No content is in two splits.",
         "take it out of one of them, or the evaluation measures memory"),
    Rule("STR-D004", "0004-4.4", ERROR, "A split lies inside its dataset.",
         "give a path relative to {artifact}, without `..`"),
    Rule("STR-D005", "0004-2.1", ERROR, "A dataset has payload files.",
         "add the data: `git strata dataset add SRC --name NAME`"),
    Rule("STR-D006", "0004-3.2", ERROR, "A dataset names its parents by full references.",
         "write each parent as datasets/NAME@vN or run-YYYY-MM-DD-NNN"),
    # Runs (TFC-0002)
    Rule("STR-R001", "0003-2.1", ERROR, "A run has its record, config, metrics, system and logs.",
         "repeat the run: `git strata run EXPERIMENT.yaml`"),
    Rule("STR-R002", "0003-2.2", ERROR, "A run's id is its directory's name.",
         "`git strata runs renumber` changes an id before it is published"),
    Rule("STR-R003", "0003-4.1", ERROR, "Metrics are a flat map from names to finite numbers.",
         "let the plugin report plain numbers, and repeat the run"),
    Rule("STR-R004", "0003-5.1", ERROR, "A run's outputs are as recorded.",
         "restore the file: `git checkout HEAD -- {path}`, or repeat the run"),
    Rule("STR-R005", "0003-5.2", ERROR, "A run's outputs are there.",
         "add the file before the run is committed, or repeat the run"),
    Rule("STR-R006", "0003-3.1", ERROR, "What a run used is named by full references.",
         "write it as datasets/NAME@vN, models/NAME@vN, prompts/NAME@vN or run-YYYY-MM-DD-NNN"),
    # Models (TFC-0005)
    Rule("STR-M001", "0005-2.1", ERROR, "A model has the artifact its metadata names.",
         "add the file, or name the right one under `artifact:` in {artifact}/metadata.yaml"),
    Rule("STR-M002", "0005-2.2", ERROR, "A model has metrics.yaml and card.md.",
         "`git strata model create NAME --run RUN` writes both"),
    Rule("STR-M003", "0005-4.2", WARNING, "The card tells the metrics that metrics.yaml holds.",
         "correct the model-index in {artifact}/card.md, then `git strata checksum {artifact}`"),
    Rule("STR-M004", "0005-3.3", WARNING, "A model says what goes in and what comes out.",
         "add `signature:` with inputs and outputs to {artifact}/metadata.yaml"),
    Rule("STR-M005", "0005-3.2", ERROR, "A model names its run and datasets by full references.",
         "write the run as run-YYYY-MM-DD-NNN and datasets as datasets/NAME@vN"),
    Rule("STR-M006", "0005-3.4", WARNING, "A model is in a format that cannot run code when loaded.",
         "save it as skops, ONNX or safetensors"),
    Rule("STR-M007", "0005-4.1", WARNING, "The card begins with front matter that has a model-index.",
         "`git strata model create` writes one; see the contract for its form"),
    # Prompts (TFC-0011)
    Rule("STR-T001", "0011-2.1", ERROR, "A prompt has prompt.yaml.",
         "`git strata prompt register FILE#vN`"),
    Rule("STR-T002", "0011-3.1", ERROR, "A template uses only the variables it declares.",
         "declare the variable under `variables:` in {path}"),
    Rule("STR-T003", "0011-3.1", WARNING, "A template uses every variable it declares.",
         "use the variable in the template, or take it out of `variables:`"),
    # Checksums (TFC-0008)
    Rule("STR-C001", "0008-2.1", ERROR, "A version has CHECKSUMS.txt.",
         "`git strata checksum {artifact}`"),
    Rule("STR-C002", "0008-2.2", ERROR, "CHECKSUMS.txt is in its one canonical form.",
         "`git strata checksum {artifact}`"),
    Rule("STR-C003", "0008-2.3", ERROR, "Every file listed is there.",
         "restore it: `git checkout HEAD -- {path}`; before release: `git strata checksum {artifact}`"),
    Rule("STR-C004", "0008-2.3", ERROR, "Every file there is listed.",
         "remove it: `git rm --cached {path}`; before release: `git strata checksum {artifact}`"),
    Rule("STR-C005", "0008-2.4", ERROR, "Every file has the digest listed.",
         "restore it: `git checkout HEAD -- {path}`; before release: `git strata checksum {artifact}`"),
    Rule("STR-C006", "0008-2.5", ERROR, "content_hash is that of the payload.",
         "before release: `git strata checksum {artifact}`; after it, make a new version"),
    Rule("STR-C007", "0008-2.6", ERROR, "Kind, name and version in the metadata are those of the path.",
         "correct {artifact}/metadata.yaml, then `git strata checksum {artifact}`"),
    Rule("STR-C008", "0008-4.2", ERROR, "A new version is committed whole.",
         "`git add {artifact}`, or move the file away"),
    Rule("STR-C009", "0008-4.3", ERROR, "A signed list does not change.",
         "remove {artifact}/SIGNATURE.asc, commit, and sign again: `git strata sign {artifact}`"),
    # Signatures (TFC-0008)
    Rule("STR-S001", "0008-3.1", ERROR, "SIGNATURE.asc holds armored signatures and nothing else.",
         "remove the file and sign again: `git strata sign {artifact}`"),
    Rule("STR-S002", "0008-3.2", ERROR, "No signature is bad.",
         "what was signed has changed: restore CHECKSUMS.txt, or sign a new version"),
    Rule("STR-S003", "0008-3.3", ERROR, "A version that must be signed has a valid signature.",
         "`git strata sign {artifact}`, then commit SIGNATURE.asc"),
    Rule("STR-S004", "0008-3.4", WARNING, "The key of every signature is known.",
         "import the signer's public key: `gpg --import KEY.asc`, after checking whose it is"),
    Rule("STR-S005", "0008-3.5", WARNING, "No signature or key is expired or revoked.",
         "let a signer with a valid key sign: `git strata sign {artifact}`"),
    Rule("STR-S006", "0008-3.6", WARNING, "Signatures are binary ones over SHA-256 or better.",
         "sign again with current defaults: `git strata sign {artifact}`"),
    Rule("STR-S007", "0008-3.7", INFO, "Signers are enrolled in a trust policy (valid, signer not enrolled).",
         "`git strata trust init` says whose signatures count"),
    Rule("STR-S008", "0008-3.8", INFO, "Signatures can be checked here (not judged).",
         "install gpg, then judge again"),
    # Git LFS (TFC-0001)
    Rule("STR-F001", "0001-6.1", ERROR, "Payload of datasets, models and runs is stored with Git LFS.",
         "`git lfs install`, check .gitattributes, then `git rm --cached {path} && git add {path}`"),
    Rule("STR-F002", "0001-6.2", ERROR, "Contract files are stored as themselves, not with Git LFS.",
         "add `{path} !filter !diff !merge text` to .gitattributes, then `git add --renormalize {path}`"),
    Rule("STR-F003", "0001-6.3", ERROR, "Git LFS pointers are strictly formed.",
         "add the file itself again: `git rm --cached {path} && git add {path}`"),
    # Immutability (TFC-0001 section 5)
    Rule("STR-I001", "0001-5.1", ERROR, "A file of a released version does not change.",
         "undo it: `git checkout BASE -- {artifact}`; put the change into a new version"),
    Rule("STR-I002", "0001-5.1", ERROR, "A file of a released version is not removed.",
         "restore it: `git checkout BASE -- {path}`; to give up a whole version: `git strata retire`"),
    Rule("STR-I003", "0001-5.1", ERROR, "No file is added to a released version.",
         "`git rm --cached {path}`; put the file into a new version"),
    Rule("STR-I004", "0001-5.2", ERROR, "Mode and type of a released file do not change.",
         "restore it: `git checkout BASE -- {path}`"),
    Rule("STR-I005", "0001-5.3", WARNING, "A whole version is removed only on purpose.",
         "if it was not meant: `git checkout BASE -- {artifact}`"),
    Rule("STR-I006", "0001-5.4", ERROR, "The name of a version never stands for other content.",
         "give the content the next version number"),
    Rule("STR-I007", "0001-5.5", ERROR, "Signatures of a released version stay; new ones are added.",
         "restore it: `git checkout BASE -- {path}`, then `git strata sign {artifact}`"),
    Rule("STR-I008", "0001-5.6", WARNING, "Only a version nobody has seen may be amended.",
         "nothing to do when meant: no remote, event or run knows the version yet"),
    Rule("STR-I009", "0001-5.7", ERROR, "A commit introduces at most one version of one model.",
         "commit the versions one by one"),
    # References between artifacts (TFC-0006)
    Rule("STR-X001", "0006-4.1", ERROR, "What an artifact refers to is in the repository.",
         "add the artifact referred to, or correct the reference"),
    Rule("STR-X002", "0006-4.2", ERROR, "The digest recorded for an input is that of the artifact.",
         "restore the artifact, or repeat the run on what is there now"),
    Rule("STR-X003", "0006-4.3", ERROR, "The content hash recorded for an input is that of the artifact.",
         "restore the artifact, or record the version that was used"),
    Rule("STR-X004", "0006-4.4", WARNING, "What an artifact refers to has not been removed.",
         "nothing to do when it was retired on purpose; its content is still in the history"),
    Rule("STR-X005", "0006-4.5", WARNING, "A model's datasets are among those its run read.",
         "name the datasets of the run, or the right run, in {path}"),
    *promotion.RULES,
)
# fmt: on

RULES: dict[str, Rule] = {rule.id: rule for rule in _TABLE}


def _fingerprint(table: tuple[Rule, ...], revision: int) -> str:
    lines = [f"{revision}", *(repr(rule) for rule in table)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


RULESET: str = _fingerprint(_TABLE, ENGINE_REVISION)
"""Changes when any rule does; part of the key under which verdicts are cached."""
