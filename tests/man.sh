#!/bin/bash
# man.sh: the manual pages are good mdoc, and say no less and no more than the
# programs' own help, the table of options and the example configuration.
# Run by `make check` in the build folder.
set -uo pipefail
export LC_ALL=C.UTF-8
build=$PWD
cd "${srcdir:-$(dirname "$0")/..}" || exit
man=docs/man
failed=0

# The lines of $1 and of $2, sorted, are the same; $3 says of what.
same() {
    local difference
    difference=$(diff <(sort -u <<<"$1") <(sort -u <<<"$2")) && return
    echo "FAIL: $3 (< the program, > the page):"
    echo "$difference"
    failed=1
}

long_options() { grep -oE -- '--[a-z][a-z-]*' | sort -u; }

# The options that FILE explains ('.It' lines), as they are typed.
explained() { sed -n 's/ Ns.*Ar [a-zA-Z]*//; s/^\.It .*Fl -\([a-z][a-z-]*\).*/--\1/p'; }

# ---- mandoc ----

lint() {
    local line
    # A page that is referred to may be ours, and not be installed yet.
    mandoc -T lint $man/*.[1-8] 2>&1 | grep -v '^mandoc: outdated mandoc.db' | while IFS= read -r line; do
        [[ $line =~ 'referenced manual not found: Xr '([^ ]+)' '([1-8]) && -e $man/${BASH_REMATCH[1]}.${BASH_REMATCH[2]} ]] ||
            echo "$line"
    done
}
if command -v mandoc >/dev/null; then
    found=$(lint)
    [[ -z $found ]] || { echo "FAIL: mandoc -T lint:"; echo "$found"; failed=1; }
else
    echo "skipped: mandoc is not installed, so the pages' form is not checked"
fi

# ---- the programs ----

for page in bellhopd.8 bellhop-worker.8 bellhop-relay.8; do
    same "$("$build/${page%.*}" --help | sed -n '/^  /p' | long_options)" "$(explained <$man/$page)" "options of $page"
done
same "$("$build/bellhopctl" --help | sed -n '/^  -/p' | long_options)" \
    "$(sed '/^\.Sh COMMANDS/,$d' $man/bellhopctl.1 | explained)" "options of bellhopctl.1 before the command"

# There is something to compare: a program that doesn't start fails here.
[[ $("$build/bellhopctl" --version) == bellhopctl* ]] || failed=1
commands=$("$build/bellhopctl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
same "$commands" "$(sed -n 's/^\.Ss //p' $man/bellhopctl.1)" "commands of bellhopctl.1"

# A command's part of the page.
part() { sed -n "/^\.Ss $1\$/,/^\.S[sh] /p" $man/bellhopctl.1; }

for command in $commands; do
    help=$("$build/bellhopctl" help "$command" | sed '/^Example/,$d')
    # Those that have a line of their own, and all, with those of the usage.
    same "$(sed -nE 's/^ +(-[a-z], )?(--[a-z-]+).*  .*/\2/p' <<<"$help")" "$(part "$command" | explained)" "options explained of bellhopctl $command"
    same "$(long_options <<<"$help")" "$(part "$command" | sed '/^\.Bd -literal -offset/,/^\.Ed/d' | sed 's/Fl -/--/g; s/ Ns.*//' | long_options)" \
        "options of bellhopctl $command"
    same "$("$build/bellhopctl" help "$command" | sed -n '/^Example/,$p' | sed 's/^Examples*://; s/^ *//; s/\\$//' | grep .)" \
        "$(part "$command" | sed -n '/^\.Bd -literal -offset/,/^\.Ed/p' | grep -v '^\.' | sed 's/\\e/\\/g; s/^ *//; s/\\$//')" "examples of bellhopctl $command"
done

# The sources' exit codes, and doctor's 1.
same "$(echo 1; grep -oh 'EX_[A-Z]*' ctl/*.c | sort -u | while read -r word; do sed -n "s/^#define $word[[:space:]]*\([0-9]*\).*/\1/p" /usr/include/sysexits.h; done)" \
    "$(sed -n '/^\.Sh EXIT/,/^\.Sh SEE/s/^\.It //p' $man/bellhopctl.1)" "exit codes of bellhopctl.1"

# ---- the configuration ----

# "section.name" of each option, in each place.
same "$(sed -n 's/^    {"\([a-z]*\)", "\([a-z_]*\)".*/\1.\2/p' src/conf_table.c)" \
    "$(awk '/^\.Ss Outside/ { s = ""; next } /^\.Ss / { s = $2 } /^\.Sh [^O]/ { off = 1 } /^\.It Ic / && s != "-" { print s "." $3 }' $man/bellhop.conf.5)" \
    "options of bellhop.conf.5"

# Each has the default that the table has, or none. A list of several has none.
sed -n 's/^    {"\([a-z]*\)", "\([a-z_]*\)".*\.def = "\([^"]*\)".*/\1.\2 \3/p' src/conf_table.c |
    while read -r option value; do
        awk -v s="${option%.*}" -v n="${option#*.}" -v v="$value" '
            /^\.Ss Outside/ { in_section = (s == ""); next }
            /^\.Ss / { in_section = ($2 == s) }
            in_section && /^\.It Ic / && $3 == n {
                gsub(/\\\(dq|[{}]/, "")
                at = index($0, " = ")
                found = at == 0 || substr($0, at + 3) == v
            }
            END { exit !found }' $man/bellhop.conf.5 || echo "$option is $value"
    done | { ! grep .; } || { echo "FAIL: defaults of bellhop.conf.5"; failed=1; }

exit $failed
