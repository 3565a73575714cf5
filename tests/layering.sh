#!/usr/bin/env bash
# What the compiler doesn't see: which way includes point, where foreign
# libraries may be used, and that the documents keep up with the tables in the
# sources. One line for each rule; what breaks it is listed under it.
set -uo pipefail
export LC_ALL=C.UTF-8
shopt -s lastpipe # so that none() can set `failed`

cd "$(dirname "$0")/.." || exit
failed=0

# RULE: no line on standard input.
none() {
    local found
    found=$(cat)
    if [[ -z $found ]]; then
        echo "ok - $1"
        return
    fi
    echo "not ok - $1"
    printf '    %s\n' "${found//$'\n'/$'\n    '}"
    failed=1
}

# The files of a library, as Makefile.am lists them.
library() {
    sed -n "/^lib$1_a_SOURCES *=/,/[^\\\\]\$/p" Makefile.am | grep -o '[a-z]*/[a-z0-9_]*\.[ch]'
}

# "file:line:header" for each quoted include in the files named.
includes() {
    grep -Hn '^#include "' "$@" /dev/null | sed 's/#include "\([^"]*\)".*/\1/'
}

# ---- layers ----

core=$(library core)
edge=$(library edge)
edge_headers=$(grep '\.h$' <<<"$edge" | sed 's,.*/,,')

# shellcheck disable=SC2086  # lists of plain names
{
    includes $core | grep -E ":($(paste -sd'|' <<<"$edge_headers"))$" | none "libcore includes nothing of libedge"
    includes src/*.[ch] | grep -E ':(\.\./)?(broker|fcgi|ctl)/' | none "src/ includes nothing of the programs"
    for area in broker fcgi ctl; do
        others=$(printf '%s\n' broker fcgi ctl | grep -v "^$area$" | paste -sd'|')
        includes $area/*.[ch] 2>/dev/null | grep -E ":(\.\./)?($others)/" | none "$area/ includes nothing of the other programs"
    done
    includes broker/*.[ch] | grep -E ":($(grep -vxE 'conf\.h|store\.h' <<<"$edge_headers" | paste -sd'|'))$" |
        none "of libedge, broker/ includes only conf.h and store.h"
}

# config.h decides what the system's headers declare, and comes with base.h.
for file in {src,broker,fcgi,ctl,examples/hotel/backend}/*.[ch] tests/*.c; do
    case $(grep -m1 '^#include' "$file" 2>/dev/null) in
    '' | '#include "'* | '#include <config.h>') ;;
    *) [[ $file == src/base.h ]] || echo "$file" ;;
    esac
done | none "the first include of every file is one of ours"

# The demo's backend is a stranger who may use the libraries.
{
    includes examples/hotel/backend/*.[ch] | grep -E ":($(ls broker fcgi ctl | grep '\.h$' | grep -vxFf <(ls examples/hotel/backend) | paste -sd'|'))$"
    grep -lE '^#include <sqlite3.h>' examples/hotel/backend/*.[ch] | grep -v '/db[a-z_]*\.[ch]$'
    grep -lE '^#include <curl/' examples/hotel/backend/*.[ch] | grep -vE '/(http|main)\.c$'
} | none "examples/hotel includes nothing of the programs, and fences its own libraries"

# HEADER FILE-PATTERN…: only these files may include it.
fence() {
    local header=$1 pattern
    shift
    pattern=$(printf '|%s' "$@")
    grep -lE "^#include <$header>" src/*.[ch] broker/*.[ch] fcgi/*.[ch] ctl/*.[ch] 2>/dev/null |
        grep -vxE "${pattern#|}" | none "<$header> stays in $*"
}
fence jwt.h 'src/auth[a-z_]*\.[ch]'
fence sqlite3.h 'src/store[a-z_]*\.[ch]'
fence confuse.h 'src/conf[a-z_]*\.[ch]'
fence '(cjson/)?cJSON.h' 'src/(json|event|auth)[a-z_]*\.[ch]'
fence 'openssl/.*' 'src/auth[a-z_]*\.[ch]'
fence 'curl/.*' 'ctl/doctor_http\.[ch]'
fence 'fcgiapp.h' 'fcgi/[a-z_]*\.[ch]'

# ---- what must not be in any file ----

# The brackets keep the pattern from finding itself.
files() { git ls-files -co --exclude-standard 2>/dev/null || find . -type f -not -path './build*' -not -path '*/node_modules/*'; }
files | xargs -d '\n' grep -nIE '/wor[k]/|/roo[t]/|/hom[e]/[a-z]|registr[y]\.npmjs|pyp[i]\.org|prox[y]\.golang' 2>/dev/null |
    none "no file names a path of one machine, or a package registry"

# ---- documents ----

# NAME FILE: the words on standard input that FILE does not have.
missing_from() {
    local word
    while read -r word; do
        grep -qF -- "$word" "$1" 2>/dev/null || echo "$word"
    done
}

table() { sed -n "s/^    X([A-Z_]*, *$1.*/\\1/p" "$2"; }
table '"\([a-z_]*\)",' src/err.h | sed 's/.*/`&`/' | missing_from PROTOCOL.md | none "PROTOCOL.md has every refusal's word"
sed -n 's/^    X(\([A-Z]*\), *[0-9]*, *".*/\1/p' src/proto.h | missing_from PROTOCOL.md | none "PROTOCOL.md has every message of worker and broker"

# The bounds that a client can meet, wherever and however grouped.
limits() {
    awk '$1 == "#define" && $2 ~ /^BH_(NAME|EVENT|BATCH|DEPTH|DOMAIN|TOKEN|PROPERTIES|CLIENT_ID|REQUEST_ID|QUERY|WAIT|PAGE|TELEMETRY|TELEMETRY_BATCH|TELEMETRY_ID|TELEMETRY_DATA)_(MAX|DEFAULT)$/ { print $2, $3 }' src/bounds.h
}
limits | while read -r name number; do
    sed 's/\([0-9]\),\([0-9]\{3\}\)/\1\2/g' PROTOCOL.md 2>/dev/null | grep -w "$number" >/dev/null || echo "$name $number"
done | none "PROTOCOL.md has every limit that a client can meet"

# "section name" for each row of the table of options.
sed -n 's/^    {"\([a-z]*\)", "\([a-z_]*\)".*/\1 \2/p' src/conf_table.c | while read -r section name; do
    [[ -n $name ]] || { name=$section section=; }
    awk -v section="$section" -v name="$name" '
        { sub(/^[# ]*/, "") }
        /^[a-z]+ *("[^"]*")? *\{/ { in_section = $1 }
        /^\}/ { in_section = "" }
        $1 == name && $2 ~ /^\+?=/ && in_section == section { found = 1 }
        END { exit !found }' deploy/bellhop.conf 2>/dev/null || echo "$section.$name"
done | none "deploy/bellhop.conf has every option"

# The head of each names what a running process can't change.
sed -n 's/^    {"\([a-z]*\)", "\([a-z_]*\)".*\.fixed = true.*/\1.\2/p' src/conf_table.c | sed 's/^\.//' | while read -r option; do
    for page in deploy/bellhop.conf docs/man/bellhop.conf.5; do
        sed -n '/A restart is needed for/,/worker\.threads/p' "$page" 2>/dev/null | grep -qw -- "$option" || echo "$page: $option"
    done
done | none "what needs a restart is listed as such"

# LINK for each link of a document to a file that isn't there; those to places on
# the net and within the page are none of ours.
files | grep '\.md$' | while read -r page; do
    # Code may have what looks like a link.
    sed '/^ *```/,/^ *```/d; s/`[^`]*`//g' "$page" | grep -o '](<\?[^)>]*' | sed 's/^](<\?//; s/#.*//' |
        while read -r link; do
            [[ -z $link || $link == *:* || -e $(dirname "$page")/$link ]] || echo "$page: $link"
        done
done | none "what documents link to is there"

grep -oE '`(leader|delivery|expiry|logout|idle|burst|outage|targets)\.[a-z0-9]+`' docs/playbook.md | tr -d '`' | sort -u | while read -r row; do
    grep -qF "row('$row'" tests/scenarios/rows.mjs || echo "$row"
done | none "docs/playbook.md names rows of the scenarios"
sed -n 's/^    X("\([a-z ]*\)", bh_check_.*/`\1`/p' ctl/doctor.h | missing_from docs/operate.md | none "docs/operate.md has every check of bellhopctl doctor"

exit $failed
