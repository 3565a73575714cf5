# use.sh: Bellhop as it is used once it is installed, for the scripts of this
# folder. Whoever sources it ends what is in `started` by end_all, and sets
# publisher and reader, two tokens.
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
work=$(mktemp -d)
chmod 755 "$work"
started=() port='' publisher='' reader=''

end_all() {
    local pid
    for pid in "${started[@]}"; do kill -TERM "$pid" 2>/dev/null; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null; done
    started=()
}
trap 'end_all; rm -rf "$work" "$report_output"' EXIT

make_tokens() {
    publisher=$(bellhopctl token --sub backend --scope realtime:publish) &&
        reader=$(bellhopctl token --sub anna --org hotel-1)
}

as() { # USER COMMAND…
    setpriv --reuid="$1" --regid="$1" --init-groups --no-new-privs "${@:2}"
}

# The command of a line of a unit, as words.
unit_line() { sed -n "s/^$2=//p" "/lib/systemd/system/$1" | head -n 1; }

# lighttpd, as www-data, on a port that is free, with the piece of the package.
start_web() {
    local pid
    mkdir -p "$work/site" && echo 'the site itself' >"$work/site/index.html"
    for _ in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        cat >"$work/lighttpd.conf" <<END
server.bind = "127.0.0.1"
server.port = $port
server.document-root = "$work/site"
index-file.names = ( "index.html" )
include "/etc/lighttpd/conf-available/50-bellhop.conf"
END
        as www-data lighttpd -D -f "$work/lighttpd.conf" >"$work/web.log" 2>&1 &
        pid=$!
        started+=("$pid")
        # An answer may be somebody else's, who had the port.
        if within 50 answers / && kill -0 "$pid" 2>/dev/null; then return; fi
    done
    return 1
}

url() { echo "http://127.0.0.1:$port$1"; }
get() { curl -sS --noproxy '*' --max-time 40 "$(url "$1")" "${@:2}"; }
answers() { get "$1" -o /dev/null 2>/dev/null; }

publish() { # ID
    get /tasks/realtime/publish -H "Authorization: Bearer $publisher" -H 'Content-Type: application/json' \
        -d "{\"eventId\":\"$1\",\"eventType\":\"TaskCreated\",\"timestamp\":1763900000000,\"orgId\":\"hotel-1\",\"payload\":{}}"
}

received() { # ID: published while a browser waits for it
    local answer cursor
    cursor=$(get /tasks/realtime/cursor -H "Authorization: Bearer $reader" | sed -n 's/.*"cursor":"\([^"]*\)".*/\1/p')
    [[ -n $cursor ]] || return
    get /tasks/realtime/subscribe -H "Authorization: Bearer $reader" -H "Last-Event-ID: $cursor" >"$work/answer" &
    answer=$!
    [[ $(publish "$1") == *'"status":"stored"'* ]] || return
    wait "$answer"
    grep -q "\"eventId\":\"$1\"" "$work/answer"
}

mode() { stat -c '%a %U:%G' "$1"; }
is() { [[ $1 == "$2" ]] || { echo "    $1 instead of $2"; return 1; }; }
events() { bellhopctl log --csv -n 1000 | tail -n +2 | wc -l; }
checksum() { sha256sum </etc/bellhop/keys/main.key; }

left() {
    find /etc /lib /usr /var /run -name '*bellhop*' -not -path '/var/log/*' -not -path '/var/cache/*' \
        -not -path "${BELLHOP_SOURCES:-/nowhere}/*" -prune -print 2>/dev/null
}
nothing_left() { [[ -z $(left) ]] || { left; return 1; }; }
