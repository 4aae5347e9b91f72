#!/bin/sh
# The main job on real data, in a throwaway repository: dataset, run, model, signature, promotion, lineage, dashboard;
# then a tampered clone, and how that is refused. Needs `git-strata` with the extras runs, sklearn and
# dashboard on PATH.
#
#   examples/breast_cancer/demo.sh DIR
#
# Everything it makes is below DIR: data/ (the CSV files), workspace/ (the repository), dashboard/ (pages to look at),
# tampered/ (the second clone), keys/ (the keyring of its signer).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 64; }
if [ -e "$1" ] && [ -n "$(ls -A "$1")" ]; then
    [ -e "$1/.strata-demo" ] || { echo "$1 is not empty and not made by this demo; nothing was done." >&2; exit 3; }
    rm -rf "$1"
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)
touch "$dir/.strata-demo"

# gpg's agent wants a short path for its socket, so the keyring lives elsewhere while the demo runs
GNUPGHOME=$(mktemp -d "${TMPDIR:-/tmp}/strata.XXXXXX")
export GNUPGHOME
keep_keys() {
    gpgconf --kill all >/dev/null 2>&1 || :
    mkdir -p "$dir/keys"
    rm -f "$GNUPGHOME"/S.*
    cp -R "$GNUPGHOME/." "$dir/keys/"
    chmod 700 "$dir/keys"
    rm -rf "$GNUPGHOME"
}
trap keep_keys EXIT

step() { printf '\n== %s\n' "$*"; }
run() { # prints a command as one can type it, then runs it
    printf '$'
    for word in "$@"; do
        case $word in
            *[!A-Za-z0-9_./:=@,+-]*) printf " '%s'" "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$@"
}
refused() { # the same, for a command that must fail
    if run "$@"; then
        echo "this should have been refused" >&2
        exit 1
    fi
    printf '   (refused)\n'
}

step "A signer with a key of her own"
gpg --batch --quiet --passphrase '' --quick-generate-key 'Ada Signer <ada@example.org>' ed25519 sign 1y 2>/dev/null
key=$(gpg --batch --with-colons --list-secret-keys | sed -n 's/^fpr:::::::::\([0-9A-F]*\):.*/\1/p' | head -n 1)
echo "key $key"

step "A workspace: a Git repository with contracts, Git LFS and hooks"
run git init --quiet --initial-branch=main "$dir/workspace" # of its own, wherever DIR lies
run git strata init --example "$dir/workspace"
cd "$dir/workspace"
git config user.name 'Ada Signer'
git config user.email ada@example.org
git config user.signingkey "$key"
run git add .
run git commit --quiet -m 'A new workspace'

step "Real data: 569 tumours of the Wisconsin breast cancer study"
"$python" "$here/export.py" "$dir/data"
run git strata dataset add "$dir/data" --name breast-cancer --split train=train.csv --split test=test.csv \
    --description 'Wisconsin diagnostic breast cancer measurements' --licence CC-BY-4.0 \
    --source 'UCI Machine Learning Repository, Breast Cancer Wisconsin (Diagnostic)'
run git add datasets/breast-cancer/v1
run git commit --quiet -m 'Add datasets/breast-cancer@v1'

model_of() { # run an experiment, make version $2 of the model from it, sign it and take it to production
    run git strata run "experiments/$1.yaml"
    id=$(ls runs | grep '^run-' | sort | tail -n 1)
    run git add "runs/$id"
    run git commit --quiet -m "Run $id: $1"
    run git strata model create tumour --run "$id" --description "Tells malignant from benign tumours ($1)"
    run git add "models/tumour/$2"
    run git commit --quiet -m "Add models/tumour@$2"
    run git strata sign "models/tumour/$2"
    run git add "models/tumour/$2/SIGNATURE.asc"
    run git commit --quiet -m "Sign models/tumour@$2"
    run git strata promote "tumour@$2" --reason "metrics looked at, data known"
    run git strata promote "tumour@$2" --reason "a week in staging without complaint"
}

step "A random forest, and its way to production"
model_of breast_cancer v1

step "A logistic regression, which takes its place"
model_of breast_cancer_logistic v2

step "What is in production, and how it came there"
run git strata stages
run git strata history tumour
run git strata lineage tumour@production
run git strata index
run git strata verify
run git strata doctor

step "Anybody can check it with stock tools"
(cd models/tumour/v2 && run sha256sum --strict --quiet -c CHECKSUMS.txt && run gpg --quiet --verify SIGNATURE.asc CHECKSUMS.txt)
tag=$(git tag --list 'tumour#production#*' | sort -t '#' -k 3n | tail -n 1)
run git verify-tag "$tag"

step "All of it as pages to look at, without a server"
run git strata dashboard --static "$dir/dashboard" --title 'Tumour diagnosis'

step "A second clone, in which somebody changes one byte of the released data"
git init --quiet --bare "$dir/server.git"
git remote add origin "file://$dir/server.git"
run git push --quiet --atomic origin HEAD:refs/heads/main --tags refs/notes/strata 'refs/strata/*:refs/strata/*'
git -C "$dir/server.git" symbolic-ref HEAD refs/heads/main
git clone --quiet "file://$dir/server.git" "$dir/tampered"
cd "$dir/tampered"
git config user.name Mallory
git config user.email mallory@example.org
git lfs install --local >/dev/null
git lfs pull
run git strata install
printf 'x' >>datasets/breast-cancer/v1/train/train.csv
run git add datasets/breast-cancer/v1/train/train.csv
refused git commit --quiet -m 'Nobody will notice'
run git commit --quiet --no-verify -m 'Nobody will notice'
refused git strata doctor --range HEAD~1..HEAD
refused git push --quiet origin HEAD:refs/heads/main

cat <<TEXT

== Done. Everything is below $dir
  open $dir/dashboard/index.html      (datasets, runs, models, lineage, promotions; needs no server)
  export GNUPGHOME=$dir/keys      (copy it to a short path if gpg complains)
  cd $dir/workspace
  git strata list models
  git strata show tumour@v2
  git strata lineage tumour@production --format json
  git log --oneline --notes=refs/notes/strata
  git strata explain STR-I001
TEXT
