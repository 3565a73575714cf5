#!/bin/sh
# ctl.sh: bellhopctl as its users type it: exit codes, help, a token that the
# worker's own reader accepts (through tests/system), the log printed.
# Run by `make check` in the build folder.
set -u
ctl=$PWD/bellhopctl
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
failed=0

# expect CODE NAME COMMAND...
expect() {
    code=$1 name=$2
    shift 2
    "$@" >"$dir/out" 2>"$dir/err"
    got=$?
    [ $got -eq "$code" ] && return
    echo "FAIL: $name: exit $got instead of $code"
    cat "$dir/err"
    failed=1
}

# says FILE TEXT NAME
says() {
    grep -qF -- "$2" "$dir/$1" && return
    echo "FAIL: $3: no '$2' in what it printed:"
    cat "$dir/$1"
    failed=1
}

head -c 48 /dev/urandom | base64 >"$dir/k"
cat >"$dir/conf" <<END
log { path = "log.db" }
key "main" { algorithm = "HS256" file = "k" }
domain "tasks" { }
END

expect 0 help "$ctl" --help
says out "token" "the help lists the commands"
expect 0 version "$ctl" --version
says out "bellhopctl " version
expect 64 "no command" "$ctl"
expect 64 "unknown command" "$ctl" frobnicate
expect 64 "unknown option" "$ctl" --frobnicate
for command in token log deny disconnect domain reload loglevel; do
    expect 0 "$command --help" "$ctl" $command --help
    says out "Example" "$command --help shows examples"
    expect 64 "$command with an unknown option" "$ctl" -c "$dir/conf" $command --frob
    expect 64 "$command with an argument" "$ctl" -c "$dir/conf" $command --sub u frob
done
expect 78 "no configuration" "$ctl" -c "$dir/none" token --sub u
expect 64 "token without a user" "$ctl" -c "$dir/conf" token
expect 64 "ttl that is no number" "$ctl" -c "$dir/conf" token --sub u --ttl soon
expect 78 "unknown key" "$ctl" -c "$dir/conf" token --sub u --kid other
expect 0 token "$ctl" -c "$dir/conf" token --sub u --org o --property p --scope realtime:publish
grep -Eq '^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$' "$dir/out" || {
    echo "FAIL: what token prints is no JWT"
    failed=1
}
export BELLHOP_CONF="$dir/conf"
# On a disk that is full, half of a table must not look like the whole.
for command in --version --help 'help log' 'token --sub u' 'keys list' 'loglevel'; do
    # shellcheck disable=SC2086
    "$ctl" $command >/dev/full 2>"$dir/err"
    [ $? -eq 74 ] || { echo "FAIL: $command onto a full disk"; failed=1; }
    says err "could be printed" "$command says that not all was printed"
done
# A reader who has left is no failure, though SIGPIPE may be ignored.
(trap '' PIPE && { "$ctl" keys list 2>"$dir/err"; echo $? >"$dir/out"; } | true)
says out 0 "a reader who has left is no failure"
expect 0 "configuration from the environment" "$ctl" token --sub u --ttl -5
expect 69 "log that isn't there" "$ctl" log
says err "log.db" "the message names the log"

# What runs is told; here nothing does.
expect 64 "deny without a verb" "$ctl" deny
expect 64 "deny of nobody" "$ctl" deny add
expect 64 "deny of two at once" "$ctl" deny add --sub a --jti b
expect 64 "a time that is none" "$ctl" deny add --sub a --for soon
expect 64 "a time of nothing" "$ctl" deny add --sub a --for 0s
expect 64 "a time that is too long" "$ctl" deny add --sub a --for 99999999999d
expect 64 "an empty name" "$ctl" deny add --sub ""
expect 69 "deny without a log" "$ctl" deny add --sub a
expect 69 "deny list without a log" "$ctl" deny list
[ -e "$dir/log.db" ] && {
    echo "FAIL: bellhopctl laid a log of its own"
    failed=1
}
expect 64 "disconnect of nobody" "$ctl" disconnect
expect 64 "disconnect --deny of a whole org" "$ctl" disconnect --org o --deny
expect 64 "a domain that can't be" "$ctl" disconnect --org o --domain /
expect 69 "disconnect without a broker" "$ctl" disconnect --org o
says err "no broker" "it says that there is none"
expect 65 "a domain that isn't configured" "$ctl" domain disable nothing
expect 69 "domain disable without a log" "$ctl" domain disable tasks
expect 64 "a level that is none" "$ctl" loglevel loud
expect 64 "a part that is none" "$ctl" loglevel info --part web
expect 64 "a part without a level" "$ctl" loglevel --part worker
expect 0 "levels" "$ctl" loglevel
says out "worker	notice	by the configuration" "levels come from the configuration"
expect 0 "another level" "$ctl" loglevel debug --part broker
expect 0 "levels" "$ctl" loglevel
says out "broker	debug	by bellhopctl" "the level is remembered"
expect 0 "reload without a broker" "$ctl" reload
says err "no broker" "reload says that there is none"
echo 'broker { poll_seconds = 0 }' >>"$dir/conf"
expect 78 "reload of a mistake" "$ctl" reload
says err "conf:4: broker.poll_seconds" "reload names line and option"
exit $failed
