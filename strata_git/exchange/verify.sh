#!/bin/sh
# Verifies the evidence in a folder (default: the one this script lies in) with git, sha256sum, gpg and ssh-keygen alone.
#
#   sh verify.sh [-k FINGERPRINT]... [DIR]
#
# -k names a key that may have signed; with any -k given, no other may. Ends with 0 when everything holds, with 1 when
# something does not, with 3 when a tool is missing. Nothing is written but below a temporary folder.
set -u
LC_ALL=C
export LC_ALL

trusted=
while getopts k: option; do
    case $option in
        k) trusted="$trusted $OPTARG" ;;
        *) sed -n 's/^#   sh /usage: /p' "$0" >&2; exit 64 ;;
    esac
done
shift $((OPTIND - 1))
here=$(cd "${1:-$(dirname "$0")}" && pwd) || exit 3
cd "$here" || exit 3
if ! [ -f facts.txt ] || ! [ -f SHA256SUMS ] || ! [ -f repository.bundle ]; then
    echo "WRONG: this is no evidence: facts.txt, SHA256SUMS or repository.bundle is missing"
    exit 1
fi
for tool in git sha256sum gpg; do
    command -v $tool >/dev/null || { echo "$tool is needed" >&2; exit 3; }
done

work=$(mktemp -d /tmp/evidence.XXXXXX) || exit 3
trap 'GNUPGHOME=$work/gnupg gpgconf --kill all >/dev/null 2>&1; rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM
# shellcheck disable=SC2046 # names of variables
unset $(git rev-parse --local-env-vars)
mkdir -m 700 "$work/gnupg" "$work/home"
HOME=$work/home GNUPGHOME=$work/gnupg GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_NO_REPLACE_OBJECTS=1
export HOME GNUPGHOME GIT_CONFIG_NOSYSTEM GIT_CONFIG_GLOBAL GIT_NO_REPLACE_OBJECTS

: >"$work/wrong"
: >"$work/signers"
say() { printf '%s\n' "$*" | tr -d '\000-\010\013-\037\177'; } # names are whatever somebody wrote
wrong() { say "WRONG: $*"; echo x >>"$work/wrong"; }
digest() { sha256sum | cut -c 1-64; }
fact() { sed -n "s/^$1 //p" "$work/facts" | head -n 1; }

# --- facts.txt in its own grammar alone: what stands in it becomes paths and object ids below
place='[a-z]+/[a-z0-9_-]+(/v[0-9]+)?' id='[0-9a-f]{40,64}'
grep -Ex "object-format sha(1|256)|revision $id|subject $place|head [a-z0-9_-]+ $id|artifact $place $id ($id|-) ($id|-)|\
cites (digest|content) $place/(metadata|run)\.yaml $place|cites file $place $place .+" facts.txt >"$work/facts"
cmp -s facts.txt "$work/facts" || wrong "facts.txt holds lines that mean nothing"

# --- every member is as it was written, and nothing else is here
[ -z "$(find . ! -type f ! -type d)" ] || wrong "there are links or special files"
find . -type f ! -path ./SHA256SUMS | sort >"$work/present"
sed 's/^[0-9a-f]\{64\}  /.\//' SHA256SUMS | sort >"$work/listed"
cmp -s "$work/present" "$work/listed" || wrong "the files here are not those that SHA256SUMS lists"
sha256sum --strict --quiet -c SHA256SUMS >"$work/sums" 2>&1 || wrong "SHA256SUMS: $(head -n 3 "$work/sums" | tr '\n' ' ')"

# --- keys, and a repository of its own for the bundle
printf 'trust-model always\nno-auto-key-retrieve\nweak-digest SHA1\n' >"$work/gnupg/gpg.conf"
find keys policy -name '*.asc' ! -name 'policy.yaml.asc' 2>/dev/null | sort | while read -r file; do
    gpg --batch --quiet --no-autostart --import "$file" 2>/dev/null || wrong "$file is no public key"
done
: >"$work/allowed"
[ ! -f keys/allowed_signers ] || cat keys/allowed_signers >>"$work/allowed"
find policy -name '*.pub' 2>/dev/null | sort | while read -r file; do
    name=$(basename "$file" .pub)
    sed "s/^/$name /" "$file" >>"$work/allowed"
done
format=$(fact object-format)
[ -n "$format" ] || wrong "facts.txt names no object format"
git init --quiet --bare --object-format="${format:-sha1}" "$work/git" || exit 3
GIT_DIR=$work/git
export GIT_DIR
git bundle unbundle "$here/repository.bundle" >"$work/refs" 2>"$work/said" || wrong "repository.bundle: $(tail -n 1 "$work/said")"
while read -r oid ref; do
    case $ref in refs/*) ;; *) wrong "repository.bundle: $ref is no reference"; continue ;; esac
    git update-ref "$ref" "$oid" 2>/dev/null || wrong "repository.bundle: $ref cannot be set to $oid"
done <"$work/refs"
git config gpg.ssh.allowedSignersFile "$work/allowed"

# --- one signature: its key is told, and must be among those that were given
signer() { # fingerprint, what was signed
    [ -n "$1" ] || { wrong "the key that signed $2 cannot be told"; return; }
    say "$1  $2" >>"$work/signers"
    [ -z "$trusted" ] || case " $trusted " in
        *" $1 "*) ;;
        *) wrong "$2 is signed by $1, which -k does not name" ;;
    esac
}
gpg_status() { # file with gpg's status lines, what was signed
    if grep -Eq '^\[GNUPG:\] (BADSIG|ERRSIG|REVKEYSIG|EXPSIG|NO_PUBKEY)' "$1" ||
        ! grep -Eq '^\[GNUPG:\] (GOODSIG|EXPKEYSIG) ' "$1" || ! grep -q '^\[GNUPG:\] VALIDSIG ' "$1"; then
        wrong "the signature of $2 does not verify"
        return
    fi
    if grep -q '^\[GNUPG:\] EXPKEYSIG ' "$1"; then
        say "note: the key that signed $2 has expired by now"
    fi
    signer "$(sed -n 's/^\[GNUPG:\] VALIDSIG .* \([0-9A-F]\{40,64\}\)$/\1/p' "$1" | head -n 1)" "$2"
}
ssh_signer() { # the principal, what was signed
    case $1 in
        SHA256:*) signer "$1" "$2" ;;
        *) signer "$(awk -v who="$1" '$1 == who { print $(NF - 1), $NF; exit }' "$work/allowed" >"$work/pub" &&
            ssh-keygen -lf "$work/pub" 2>/dev/null | cut -d ' ' -f 2)" "$2" ;;
    esac
}
verify_tag() { # object id, name
    if git verify-tag --raw "$1" >"$work/out" 2>"$work/status" || grep -q '^\[GNUPG:\] EXPKEYSIG ' "$work/status"; then
        if grep -q '^\[GNUPG:\]' "$work/status"; then
            gpg_status "$work/status" "$2"
        else
            signer "$(sed -n 's/.* key \(SHA256:[^ ]*\).*/\1/p' "$work/status" "$work/out" | head -n 1)" "$2"
        fi
    else
        wrong "the signature of $2 does not verify"
    fi
}
verify_blocks() { # file with armored blocks, file that was signed, namespace for SSH, what it is
    rm -f "$work"/block.*
    awk -v base="$work/block." '/^-----BEGIN /{n++} n{print > (base n)}' "$1"
    [ -f "$work/block.1" ] || wrong "$1 holds no signature"
    for block in "$work"/block.*; do
        [ -f "$block" ] || continue
        if grep -q '^-----BEGIN SSH' "$block"; then
            who=$(ssh-keygen -Y find-principals -f "$work/allowed" -s "$block" 2>/dev/null | head -n 1)
            if [ -n "$who" ] &&
                ssh-keygen -Y verify -f "$work/allowed" -I "$who" -n "$3" -s "$block" <"$2" >/dev/null 2>&1; then
                ssh_signer "$who" "$4"
            else
                wrong "the signature of $4 does not verify"
            fi
        else
            gpg --batch --no-autostart --status-fd 3 --verify "$block" "$2" 3>"$work/status" 2>/dev/null
            gpg_status "$work/status" "$4"
        fi
    done
}

# --- events: signed, under their own name, about what git holds, each naming the one before
field() { printf '%s\n' "$record" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
oids() { printf '%s\n' "$record" | sed -n "s/.*\"$1\":\[\([^]]*\)\].*/\1/p" | tr -d '"' | tr ',' '\n'; }
: >"$work/events"
: >"$work/named"
git for-each-ref --format='%(objectname) %(refname)' refs/tags refs/strata/approvals refs/strata/receipts >"$work/tags"
while read -r oid ref; do
    [ "$(git cat-file -t "$oid" 2>/dev/null)" = tag ] || { wrong "$ref is no tag object"; continue; }
    verify_tag "$oid" "$ref"
    git cat-file tag "$oid" >"$work/tag"
    inside=$(sed -n '/^$/q;s/^tag //p' "$work/tag")
    target=$(sed -n '/^$/q;s/^object //p' "$work/tag")
    case $ref in
        "refs/tags/$inside" | "refs/strata/$inside") ;;
        *) wrong "$ref holds the tag object of $inside" ;;
    esac
    case $ref in refs/strata/*) continue ;; esac
    echo "$oid" >>"$work/events"
    record=$(sed -n 's/^Strata-Record: //p' "$work/tag")
    path=models/$(field model)/$(field version)
    field digest >>"$work/vouched"
    [ "$target" = "$(field commit)" ] || wrong "$ref points at another commit than its record names"
    [ "$(git rev-parse --verify --quiet "$target:$path")" = "$(field tree)" ] || wrong "$ref: $path has another tree"
    [ "sha256:$(git cat-file blob "$target:$path/CHECKSUMS.txt" 2>/dev/null | digest)" = "$(field digest)" ] ||
        wrong "$ref: $path has another digest"
    for parent in $(git rev-parse "$target^@" 2>/dev/null); do
        if git rev-parse --verify --quiet "$parent:$path" >/dev/null 2>&1; then
            wrong "$ref: commit $target did not introduce $path"
        fi
    done
    [ -z "$(field prev)" ] || field prev >>"$work/named"
    oids merges >>"$work/named"
    for approval in $(oids approvals); do
        grep -q "^$approval refs/strata/approvals/" "$work/tags" || wrong "$ref: the approval $approval is not here"
    done
    policy=$(field policy)
    if [ -n "$policy" ]; then
        found=
        for file in policy/*/policy.yaml; do
            [ -f "$file" ] && [ "sha256:$(digest <"$file")" = "$policy" ] && found=1
        done
        [ -n "$found" ] || wrong "$ref: the trust policy $policy is not here"
    fi
done <"$work/tags"
sort -u "$work/events" >"$work/all"
sort -u "$work/named" >"$work/before"
[ -z "$(comm -13 "$work/all" "$work/before")" ] || wrong "events are missing: $(comm -13 "$work/all" "$work/before" | tr '\n' ' ')"
comm -23 "$work/all" "$work/before" >"$work/last"
if [ -s "$work/all" ]; then
    head=$(fact 'head [^ ]*')
    [ "$(cat "$work/last")" = "$head" ] || wrong "the line of events does not end in $head alone"
    case $(git for-each-ref --format='%(objectname)' refs/strata/ledger) in
        "$head") ;;
        '') say "note: the clone this comes from did not have refs/strata/ledger, which marks the last event" ;;
        *) wrong "the line's head is not $head" ;;
    esac
fi
if [ -f notes.jsonl ]; then
    sed -n 's/.*"tagObject":"\([0-9a-f]*\)".*/\1/p' notes.jsonl | sort -u | comm -23 - "$work/all" >"$work/stray"
    [ ! -s "$work/stray" ] || wrong "notes.jsonl tells of events that are not here"
fi

# --- the trust policy's versions, signed by their roots
for file in policy/*/policy.yaml; do
    [ -f "$file" ] || continue
    folder=$(dirname "$file")
    [ ! -f "$file.asc" ] || verify_blocks "$file.asc" "$file" strata-policy "$file"
    for signature in "$folder"/signatures/*.sig; do
        [ ! -f "$signature" ] || verify_blocks "$signature" "$file" strata-policy "$file"
    done
    [ -f "$file.asc" ] || [ -d "$folder/signatures" ] || say "note: $file carries no signature"
done

# --- artifacts: lists, files, pointers, signatures
revision=$(fact revision)
sed -n 's/^artifact //p' "$work/facts" >"$work/artifacts"
while read -r path holds commit sum; do
    list=artifacts/$path/CHECKSUMS.txt
    [ -f "$list" ] || { wrong "$list is missing"; continue; }
    [ "$(digest <"$list")" = "$sum" ] || wrong "$list has not the digest that facts.txt claims"
    for at in "$holds" "$commit"; do
        [ "$at" != - ] || continue
        [ "$(git cat-file blob "$at:$path/CHECKSUMS.txt" 2>/dev/null | digest)" = "$sum" ] ||
            wrong "commit $at has another $path/CHECKSUMS.txt"
    done
    (cd "artifacts/$path" && sha256sum --strict --quiet --ignore-missing -c CHECKSUMS.txt) >"$work/sums" 2>&1 ||
        wrong "$path: $(head -n 3 "$work/sums" | tr '\n' ' ')"
    (cd "artifacts/$path" && find . -type f | sed 's/^\.\///' | sort) >"$work/present"
    { cut -c 67- "$list"; printf '%s\n' CHECKSUMS.txt SIGNATURE.asc model.sig; } | sort >"$work/listed"
    [ -z "$(comm -23 "$work/present" "$work/listed")" ] || wrong "$path holds files that its list does not have"
    # what git holds there: the record itself, or a pointer to exactly the listed file; all are asked for in one go
    cut -c 67- "$list" | sed "s|^|$holds:$path/|" | git cat-file --batch 2>/dev/null | awk '
        left == 0 && / missing$/ { print "-"; next }
        left == 0 { left = $NF + 1; told = "other"; small = $NF <= 1024; next }
        { left -= length($0) + 1 }
        small && /^oid sha256:[0-9a-f]+$/ { told = substr($0, 12) }
        left <= 0 { print told; left = 0 }' >"$work/held"
    cut -c 1-64 "$list" >"$work/wanted"
    cut -c 67- "$list" | paste -d ' ' "$work/held" "$work/wanted" - |
        awk '$1 != $2 && $1 != "-"' >"$work/doubtful"
    while read -r _ sum name; do
        held=$(git cat-file blob "$holds:$path/$name" 2>/dev/null | digest)
        [ "$held" = "$sum" ] || wrong "git holds another $path/$name"
    done <"$work/doubtful"
    [ ! -f "artifacts/$path/SIGNATURE.asc" ] ||
        verify_blocks "artifacts/$path/SIGNATURE.asc" "$list" strata-checksums "$path"
done <"$work/artifacts"

# --- who names whom, by digest
sed -n 's/^artifact \([^ ]*\) .*/\1/p' "$work/facts" >"$work/paths"
find artifacts -type f \( -name metadata.yaml -o -name run.yaml \) | sort | while read -r file; do
    sed -n 's/^ *-\{0,1\} *ref: *"\{0,1\}\([a-z]*\)\/\([a-z0-9_-]*\)@\(v[0-9]*\)"\{0,1\}$/\1\/\2\/\3/p' "$file" | while read -r cited; do
        grep -qxF -e "$cited" "$work/paths" || say "note: ${file#artifacts/} names $cited, which is not in here"
    done
done
sed -n 's/^cites //p' "$work/facts" >"$work/cites"
while read -r how from to name; do
    case $how in
        digest) grep -q "$(digest <"artifacts/$to/CHECKSUMS.txt")" "artifacts/$from" || wrong "$from names another $to" ;;
        content)
            grep -v -e '^.\{66\}metadata\.yaml$' -e '^.\{66\}run\.yaml$' "artifacts/$to/CHECKSUMS.txt" | digest >"$work/hash"
            case $to in runs/*) ;; *)
                grep -v -e '^.\{66\}metadata\.yaml$' "artifacts/$to/CHECKSUMS.txt" | digest >"$work/hash" ;;
            esac
            grep -q "$(cat "$work/hash")" "artifacts/$from" || wrong "$from names other content of $to"
            ;;
        file)
            sum=$(while IFS= read -r line; do
                [ "${line#*  }" != "$name" ] || echo "${line%%  *}"
            done <"artifacts/$from/CHECKSUMS.txt")
            grep -q "^${sum:-nothing}  " "artifacts/$to/CHECKSUMS.txt" || wrong "$from/$name was not made by $to"
            ;;
    esac
done <"$work/cites"

# --- the end
subject=$(fact subject)
grep -qxF -e "$subject" "$work/paths" || wrong "$subject, which this is about, is not among the artifacts"
case $subject in
    models/*)
        grep -q "$(digest <"artifacts/$subject/CHECKSUMS.txt")" "$work/vouched" 2>/dev/null ||
            say "note: no event vouches for $subject"
        ;;
esac
if ! [ -s "$work/signers" ]; then
    say "note: NOTHING in here is signed"
    [ -z "$trusted" ] || wrong "none of the keys given with -k signed anything"
fi
say "about $subject, sha256:$(digest <"artifacts/$subject/CHECKSUMS.txt")"
say "events: $(grep -c . "$work/events"), artifacts: $(grep -c . "$work/artifacts"), at commit $revision"
sort -u "$work/signers" | sed 's/^/signed by /'
if [ -s "$work/wrong" ]; then
    echo "NOT everything holds: $(grep -c . "$work/wrong") of the checks failed"
    exit 1
fi
[ -n "$trusted" ] || echo "Whose keys these are is for you to know: compare the fingerprints, and name them with -k."
echo "Everything holds."
