# report.sh: for the scripts of this folder: one line for each check, and under
# one that failed what its command said.
failed=0
report_output=$(mktemp)

check() { # NAME COMMAND…
    local name=$1
    shift
    if "$@" >"$report_output" 2>&1; then
        echo "ok - $name"
        return
    fi
    echo "not ok - $name"
    sed 's/^/    /' "$report_output" | tail -n 40
    failed=1
    return 1
}

# What the last check's command said.
last_output() { cat "$report_output"; }

fails() { ! "$@"; }

# TENTHS COMMAND…: wait until it succeeds.
within() {
    local tenths=$1
    shift
    until "$@"; do
        ((tenths-- > 0)) || return 1
        sleep 0.1
    done
}
