#!/bin/sh
# admin.sh: the log as admins meet it, without a running Bellhop: bellhopctl's
# commands and their exit codes, every example of docs/sql.md, and how SQLite
# goes about each view. Run by `make check` in the build folder.
set -u
ctl=$PWD/bellhopctl
top=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT
failed=0

fail() {
    echo "FAIL: $*"
    failed=1
}

# expect CODE NAME COMMAND...
expect() {
    code=$1 name=$2
    shift 2
    "$@" >"$dir/out" 2>"$dir/err" </dev/null
    got=$?
    [ $got -eq "$code" ] && return
    fail "$name: exit $got instead of $code"
    cat "$dir/err"
}

# says FILE TEXT NAME
says() {
    grep -qF -- "$2" "$dir/$1" && return
    fail "$3: no '$2' in what it printed:"
    cat "$dir/$1"
}

lines() { # N NAME
    [ "$(wc -l <"$dir/out")" -eq "$1" ] || fail "$2: $(wc -l <"$dir/out") lines instead of $1"
}

(umask 077 && head -c 48 /dev/urandom | base64 >"$dir/k")
cat >"$dir/conf" <<END
log { path = "log.db" sync = "normal" }
broker { socket = "broker.sock" buffer_seconds = 1 }
# key "inside" { a comment }
key "main" { algorithm = "HS256" file = "k" }
domain "tasks" { }
domain "off" { enabled = false }
END
export BELLHOP_CONF="$dir/conf"

for command in token log publish prune hold backup restore verify summarize keys doctor; do
    expect 0 "help $command" "$ctl" help $command
    says out "Example" "help $command shows examples"
    expect 64 "$command with an unknown option" "$ctl" $command --frob
    says err "bellhopctl $command: " "$command says who complains"
done
for command in $("$ctl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    "$ctl" help "$command" | grep '.\{81\}' && fail "help $command: a line is longer than a terminal"
done
expect 64 "help of nothing" "$ctl" help frobnicate
for command in "log" "prune --older-than 1d" "backup $dir/b" "hold list" "summarize"; do
    # shellcheck disable=SC2086
    "$ctl" $command >"$dir/out" 2>"$dir/err" && fail "$command without a log"
    says err "log.db" "$command names the log"
done
[ -e "$dir/log.db" ] && fail "a log was laid by asking for one"

# ---- doctor, where nothing runs yet ----
expect 1 "doctor of nothing" "$ctl" doctor
says out "no socket" "doctor misses the broker"
expect 1 "doctor as JSON" "$ctl" doctor --json
says out '"check":"broker socket"' "doctor as JSON"
expect 64 "doctor of no URL" "$ctl" doctor --url localhost
expect 64 "doctor of no domain" "$ctl" doctor --domain /
BELLHOP_CONF=$dir/none expect 1 "doctor without a configuration" "$ctl" doctor

# ---- publish ----
expect 0 publish "$ctl" publish -d tasks -o hotel-1 -t TaskCreated -i e-0 --payload '{"taskId":"t-9","tags":["a","b"],"assignee":null}'
says out '"status":"stored","seq":1,"woken":null' "publish prints the result"
expect 0 "publish again" "$ctl" publish -d tasks -o hotel-1 -t TaskCreated -i other
for wrong in "-d none -o o -t T" "-d off -o o -t T" "-o o -t T" "-d tasks -o o" "-d tasks -o o -t T $dir/x"; do
    # shellcheck disable=SC2086
    expect 64 "publish $wrong" "$ctl" publish $wrong
done
expect 65 "a payload that is no JSON" "$ctl" publish -d tasks -o o -t T --payload '{"a":}'
expect 65 "another body" "$ctl" publish -d tasks -o hotel-1 -t Other -i e-0
expect 66 "no such file" "$ctl" publish -d tasks "$dir/none"
expect 65 "a payload that ends too early" "$ctl" publish -d tasks -o o -t T --payload '{'
says err "bellhopctl: as a whole: " "a mistake of the whole text"
"$ctl" domain disable tasks >/dev/null
expect 69 "publish into a domain that is switched off" "$ctl" publish -d tasks -o o -t T
says err "bellhopctl domain enable tasks" "it says how to switch it on"
"$ctl" domain enable tasks >/dev/null
i=0
while [ $i -lt 1200 ]; do
    echo "{\"eventId\":\"n-$i\",\"eventType\":\"Many\",\"timestamp\":$i,\"orgId\":\"org-$((i % 7))\",\"propertyId\":\"p\",\"payload\":{\"n\":$i}}"
    i=$((i + 1))
done >"$dir/many"
expect 0 "publish a file" "$ctl" publish -d tasks "$dir/many"
lines 1200 "a result for each"
says err "1200 stored, 0 duplicates" "publish counts"
expect 0 "publish a file again" "$ctl" publish -d tasks -q "$dir/many"
says err "0 stored, 1200 duplicates" "the same again stores nothing"
printf '{"events":[%s,\n%s]}' "$(sed -n 1p "$dir/many")" "$(sed -n 2p "$dir/many")" >"$dir/envelope"
expect 0 "publish an envelope" "$ctl" publish -d tasks -q "$dir/envelope"
says err "2 duplicates" "an envelope is one batch"

# ---- stats, with the broker away ----
expect 0 "stats as JSON" "$ctl" stats --json
says out '[{"domain":"tasks","up":false,' "each configured domain, though nobody counts"
says out '{"domain":"off","up":false,' "each configured domain, though nobody counts"

# ---- log ----
expect 0 "log" "$ctl" log
lines 10 "ten unless said"
expect 0 "log by type and org" "$ctl" log --type Many --org org-3 -n 1000
lines 171 "by type and org"
expect 0 "log by id" "$ctl" log --id n-77 --json
says out '"payload":{"n":77},"seq":' "log by id"
expect 0 "log since" "$ctl" log --since 1h --domain tasks --property p
lines 1200 "since an hour ago, all of a property"
expect 0 "log until" "$ctl" log --since 2020-01-01 --until 2020-01-02T12:30
lines 0 "until"
expect 64 "a time that is none" "$ctl" log --since yesterday
expect 0 "csv" "$ctl" log --csv -n 1 --org org-3
says out 'seq,stored,domain,org,property,type,id,body' "csv has a heading"
says out '{""eventId"":""n-' "csv doubles quotes"
grep -q "$(printf '\033')" "$dir/out" && fail "colours in a file"
for form in '' --json --csv; do
    # shellcheck disable=SC2086
    "$ctl" log -n 1000 $form >/dev/full 2>"$dir/err"
    [ $? -eq 74 ] || fail "log $form onto a full disk"
    says err "could be printed" "log $form says that not all was printed"
    (trap '' PIPE && { "$ctl" log -n 1000 $form 2>"$dir/err"; echo $? >"$dir/out"; } | head -n 1 >/dev/null)
    says out 0 "a reader who has left is no failure"
done

# ---- the examples, and how each view is gone about ----
"$ctl" summarize --quiet || fail "summarize"
sql() { sqlite3 -readonly "$dir/log.db" "$1"; }
awk '/^```sql/{n++; on=1; next} /^```/{on=0} on{print > ("'"$dir"'/example-" n)}' "$top/docs/sql.md"
for example in "$dir"/example-*; do
    sql "$(cat "$example")" >"$dir/out" 2>"$dir/err" || {
        fail "an example of docs/sql.md:"
        cat "$example" "$dir/err"
    }
done
[ "$(find "$dir" -name 'example-*' | wc -l)" -ge 15 ] || fail "docs/sql.md has lost its examples"
[ "$(sql "SELECT sum(events) FROM events_by_hour")" = 1202 ] || fail "events_by_hour counts otherwise"
[ "$(sql "SELECT count(*) FROM busiest_orgs")" = 8 ] || fail "busiest_orgs has other orgs"
[ "$(sql "SELECT sum(n) FROM duplicates_by_day")" = 1202 ] || fail "duplicates_by_day counts otherwise"

# What reads all events, or all of another table that grows, is too slow one day.
views=$(sql "SELECT name FROM sqlite_schema WHERE type = 'view'")
for view in $views; do
    where=''
    [ "$view" = org_events ] && where=" WHERE domain = 'tasks' AND org_id = 'o' AND hour >= '2026-01-01 00:00'"
    [ "$view" = busiest_orgs ] && where=" WHERE day = '2026-11-24'"
    sql "EXPLAIN QUERY PLAN SELECT * FROM $view$where LIMIT 20" >"$dir/out"
    grep -E 'SCAN (events|e|d)( |$)' "$dir/out" | grep -v 'SCAN d$' && fail "$view reads a whole table"
    case $view in
    org_events) says out "USING INDEX events_channel (domain=? AND org_id=? AND rowid>? AND rowid<?)" "$view" ;;
    busiest_orgs) says out "SEARCH day_orgs USING INDEX day_orgs_busiest (day=?)" "$view" ;;
    events_by_hour)
        says out "SEARCH hour_types USING PRIMARY KEY (hour>?)" "$view"
        says out "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)" "$view"
        ;;
    latency_by_hour) says out "SEARCH hour_delays USING PRIMARY KEY (hour>?)" "$view" ;;
    telemetry_types) says out "SCAN telemetry USING COVERING INDEX telemetry_by_type" "$view" ;;
    telemetry_sessions) says out "SCAN telemetry USING COVERING INDEX telemetry_by_session" "$view" ;;
    silent_domains) says out "SEARCH events USING INTEGER PRIMARY KEY (rowid>?)" "$view" ;;
    esac
done

# ---- copies, and what is wrong ----
expect 0 backup "$ctl" backup "$dir/b.db"
expect 73 "backup over a file" "$ctl" backup "$dir/b.db"
expect 0 "backup over a file by force" "$ctl" backup --force "$dir/b.db"
ln -s log.db "$dir/linked"
ln "$dir/b.db" "$dir/another"
for own in log.db log.db-wal log.db-shm log.db.lock linked; do
    expect 73 "backup over the log's $own" "$ctl" backup --force "$dir/$own"
    says err "is the log's own" "backup over the log's $own"
done
: >"$dir/another.part"
expect 74 "backup beside one that was stopped" "$ctl" backup --force "$dir/another"
says err "then remove it" "what was left says what to do"
# What root lays is for those whose folder it is.
mkdir "$dir/theirs" && cp "$dir/k" "$dir/conf" "$dir/theirs"
if [ "$(id -u)" = 0 ] && chown nobody "$dir/theirs"; then
    owners() { stat -c '%U' "$dir"/theirs/log.db* | sort -u | paste -sd' '; }
    BELLHOP_CONF=$dir/theirs/conf expect 0 "publish into a new log" "$ctl" publish -d tasks -o o -t T
    [ "$(owners)" = nobody ] || fail "a log that root has laid is of $(owners)"
    rm "$dir"/theirs/log.db*
    BELLHOP_CONF=$dir/theirs/conf expect 0 "restore where no log is" "$ctl" restore "$dir/b.db"
    [ "$(owners)" = nobody ] || fail "a log that root has restored is of $(owners)"
fi
expect 0 verify "$ctl" verify
expect 0 "verify a backup" "$ctl" verify -q "$dir/b.db"
lines 0 "a good backup, quietly"
head -c 9000 /dev/urandom >"$dir/noise"
expect 66 "verify noise" "$ctl" verify "$dir/noise"
expect 65 "restore noise" "$ctl" restore "$dir/noise"
expect 66 "restore nothing" "$ctl" restore "$dir/nothing"
cp "$dir/b.db" "$dir/bad.db"
sqlite3 "$dir/bad.db" "UPDATE events SET org_id = 'x' WHERE seq = 3"
expect 65 "verify finds a row that lies" "$ctl" verify "$dir/bad.db"
says out "1 event(s) whose body" "verify says what is wrong"
was=$(sql "SELECT log_id FROM log")
expect 0 restore "$ctl" restore "$dir/b.db"
says out "deny list" "restore says what else goes back"
[ "$(sql "SELECT log_id FROM log")" != "$was" ] || fail "a restored log needs another name"
[ "$(sql "SELECT count(*) FROM events")" = 1202 ] || fail "events are missing after the restore"

# ---- prune, hold ----
for wrong in "" "--older-than soon" "--max-size big" "--max-size 20" "--older-than 1d more"; do
    # shellcheck disable=SC2086
    expect 64 "prune $wrong" "$ctl" prune $wrong
done
expect 0 "hold" "$ctl" hold add org-2 'a case'
expect 64 "hold nothing" "$ctl" hold add
# Until all is older than the broker's memory, which is never pruned.
tries=0
until "$ctl" prune --older-than 1s --dry-run | grep -q '1030 events' || [ $tries -ge 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
expect 0 "prune dry" "$ctl" prune --older-than 1s --dry-run
says out "would prune 1030 events" "what a dry run says"
# Stopped while it waits for the lock: then it has done nothing, and says so.
mkfifo "$dir/go"
flock "$dir/log.db.lock" cat "$dir/go" >/dev/null &
exec 8>"$dir/go"
until ! flock -n "$dir/log.db.lock" true; do sleep 0.05; done
"$ctl" prune --older-than 1s >"$dir/out" 2>"$dir/err" 8>&- &
pruning=$!
tries=0
until grep -q -- "-> FLOCK .* $pruning " /proc/locks || [ $tries -ge 600 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
kill -INT $pruning # a shell's child in the background ignores it, unless it takes it itself
exec 8>&-
wait $pruning
got=$?
[ $got -eq 75 ] || fail "a stopped prune: exit $got instead of 75"
says out "pruned 0 events, and was stopped" "a stopped prune says so"
says out "left: events 1 to 1202" "prune says what is left"
expect 0 prune "$ctl" prune --older-than 1s
says out "pruned 1030 events" "what prune does"
[ "$(sql "SELECT count(DISTINCT org_id) FROM events")" = 1 ] || fail "the hold was not kept to"
expect 0 "hold list" "$ctl" hold list
says out "a case" "hold list"
expect 0 "hold remove" "$ctl" hold remove org-2
expect 0 "prune by size" "$ctl" prune --org org-2 --max-size 1k
[ "$(sql "SELECT count(*) BETWEEN 1 AND 20 FROM events")" = 1 ] || fail "prune by size leaves $(sql 'SELECT count(*) FROM events')"
[ "$(sql "SELECT sum(events) FROM hour_types")" = 1202 ] || fail "the summary lost what was pruned"

# ---- keys ----
expect 0 "keys new" "$ctl" keys new ec --add
expect 0 "keys new RSA" "$ctl" keys new rsa --alg RS256 --add
expect 0 "keys new secret" "$ctl" keys new secret --alg HS512 --add
expect 73 "keys new twice" "$ctl" keys new ec
expect 64 "keys new, unknown algorithm" "$ctl" keys new x --alg none
expect 64 "keys new, a name that is no file's" "$ctl" keys new ../x
says err "letters, digits" "it says what a name may be"
for kid in ec rsa secret; do expect 0 "token of $kid" "$ctl" token --sub u --kid $kid; done
find "$dir/keys" -type f ! -perm 600 | grep . && fail "a key file is open to others"
mkdir -m 2750 "$dir/shared" && chmod g+s "$dir/shared"
expect 0 "keys new in a group's folder" "$ctl" keys new grouped --dir "$dir/shared"
[ "$(stat -c %a "$dir/shared/grouped.pub.pem" "$dir/shared/grouped.pem" | paste -sd' ')" = '640 600' ] ||
    fail "the modes of a key in a group's folder"
expect 0 "keys import PEM" "$ctl" keys import "$dir/keys/ec.pem" --kid again
says out 'algorithm = "ES256"' "the curve says the algorithm"
expect 65 "keys import, wrong algorithm" "$ctl" keys import "$dir/keys/ec.pem" --kid wrong --alg RS256
expect 66 "keys import of no file" "$ctl" keys import "$dir/nothing"
expect 65 "keys import of what is no key" "$ctl" keys import "$dir/noise"
says err "neither PEM nor a JWK" "what is no key"
cat >"$dir/weak.pem" <<END
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCy0BL95aA3lbqQJgTRPNK/ElTS
YpyQQusF0qr+6vy473UREyPiqXUJKYDUIVL5zMovZjdeU0sMjrPZk5L1fYxba8O5
dXUna9GBoEVbLVLCvOrPCGgoHBcqLDJ9xKaJ10aqns7+sPiyoMv3H9omM9Oyo9ZR
yxCXnaUEtJttTjzkJQIDAQAB
-----END PUBLIC KEY-----
END
expect 65 "keys import of a weak key" "$ctl" keys import "$dir/weak.pem" --kid weak
says err "1024 bits" "a weak key"
mkdir "$dir/elsewhere"
expect 66 "keys new beside no configuration" "$ctl" -c "$dir/elsewhere/conf" keys new lost --add
[ -e "$dir/elsewhere/keys" ] && fail "a key was made beside no configuration"
cp "$dir/conf" "$dir/elsewhere/conf" && echo 'nonsense = 1' >>"$dir/elsewhere/conf"
expect 78 "keys new into a configuration with a mistake" "$ctl" -c "$dir/elsewhere/conf" keys new late --add
says out 'file = "keys/late.pub.pem"' "the section, to be put in by hand"
printf '{"keys":[{"kty":"oct","kid":"jwk","alg":"HS256","k":"%s"},{"kty":"OKP","kid":"no"}]}' \
    AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 >"$dir/jwks"
expect 0 "keys import JWKS" "$ctl" keys import "$dir/jwks" --add
says err "1 left out" "what is left out is said"
expect 0 "token of the JWK" "$ctl" token --sub u --kid jwk
expect 0 "keys retire" "$ctl" keys retire rsa
expect 78 "token of a retired key" "$ctl" token --sub u --kid rsa
expect 65 "keys retire what stands in a comment" "$ctl" keys retire inside
expect 0 "keys list" "$ctl" keys list
lines 4 "keys list"
for kid in ec secret jwk; do "$ctl" keys retire $kid >/dev/null; done
expect 78 "the last key stays" "$ctl" keys retire main
expect 0 "and the configuration is as it was" "$ctl" keys list

# ---- doctor, of a worker that was told a short name for its socket ----
(cd "$dir" && exec "${ctl%/*}/bellhop-worker" -c conf -s ./by-hand.sock) 2>"$dir/worker.err" &
worker=$!
tries=0
until { "$ctl" doctor --quick --web-user root >"$dir/out" 2>&1; grep -qF by-hand.sock "$dir/out"; } || [ $tries -ge 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
says out "$dir/by-hand.sock" "doctor finds the socket of a worker"
kill $worker
wait $worker

# ---- standard output closed: nothing else is printed into ----
i=0
while [ $i -lt 200 ]; do
    echo "{\"eventId\":\"closed-$i\",\"eventType\":\"T\",\"timestamp\":1,\"orgId\":\"org-c\",\"payload\":1}"
    i=$((i + 1))
done >"$dir/closed.ndjson"
"$ctl" publish -d tasks "$dir/closed.ndjson" >&- 2>"$dir/err"
got=$?
[ $got -eq 74 ] || fail "publish to a closed output: exit $got instead of 74"
[ -s "$dir/log.db.lock" ] && fail "publish printed into the log's lock file"

# ---- completion ----
complete() { # WORDS...: what the last is completed to
    PATH=$PWD:$PATH bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bellhopctl; echo "${COMPREPLY[@]}"' \
        "$top/deploy/completions/bellhopctl" bellhopctl "$@"
}
[ "$(complete pru)" = prune ] || fail "completion of a command: $(complete pru)"
[ "$(complete prune --dr)" = --dry-run ] || fail "completion of an option: $(complete prune --dr)"
[ "$(complete domain dis)" = disable ] || fail "completion of domain: $(complete domain dis)"
[ "$(complete deny a)" = add ] || fail "completion of deny: $(complete deny a)"
[ "$(complete doctor --we)" = --web-user ] || fail "completion of doctor: $(complete doctor --we)"
[ "$(complete -c conf keys ret)" = retire ] || fail "completion after -c: $(complete -c conf keys ret)"
exit $failed
