#!/usr/bin/env bash
# The Debian package: built, looked at by lintian, installed, used, upgraded,
# removed and purged; then its services under a systemd of their own.
#
# All that changes a machine happens on a copy of it: an overlay over its root,
# in memory, with process ids of its own, that goes when the test ends, however
# it ends. Where that can't be mounted (a container without CAP_SYS_ADMIN) it
# happens on the machine itself, and what is left of it is removed at the end.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
. "$here/report.sh"
out=${BELLHOP_PACKAGE_DIR:-$root/build-deb}
PATH=$PATH:/usr/sbin:/sbin

if ((EUID != 0)); then
    echo "skipped: the package: to install it takes root"
    exit 0
fi

# ---- built ----

# The unit tests are run by others; DEB_BUILD_OPTIONS is for whoever wants them here.
export DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS:-nocheck noautodbgsym parallel=$(nproc)}
check "deploy/debian builds it, and lintian has no error and no warning" "$root/deploy/debian" --out "$out" --lintian || exit 1
deb=$(last_output | tail -n 1)

# The next version: the scripts are the same, and a file of /etc is not.
newer() {
    local dir=$out/newer
    rm -rf "$dir"
    dpkg-deb -R "$deb" "$dir" &&
        sed -i "s/^Version: .*/Version: $newer_version/" "$dir/DEBIAN/control" &&
        echo '# of the newer version' | tee -a "$dir/etc/bellhop/environment" >>"$dir/etc/bellhop/bellhop.conf" &&
        dpkg-deb --root-owner-group -b "$dir" "$out/newer.deb" &&
        rm -rf "$dir"
}
newer_version=$(dpkg-deb -f "$deb" Version)+1
check "a newer version of it is made" newer || exit 1

# ---- on a copy of the machine ----

# Run within mount and process namespaces: FOLDER COMMAND…
copy_of_root='
    set -e
    mount -t tmpfs -o mode=755 bellhop-test "$1"
    mkdir "$1/upper" "$1/work" "$1/root"
    mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" bellhop-test "$1/root"
    root=$1/root
    shift
'
in_chroot=$copy_of_root'
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmp "$root/tmp"
    mount -t tmpfs -o mode=755 run "$root/run"
    mkdir "$root/tmp/package"
    cp "$@" "$root/tmp/package"
    cd "$root"
    shift $#
    exec chroot "$root" /tmp/package/installed /tmp/package/now.deb /tmp/package/newer.deb "$NEWER"
'
# The copy boots a systemd without a network; a service of its own runs the checks
# and turns it off. Nothing of this machine is started again: what is enabled
# here, the web servers say, is masked there.
in_container=$copy_of_root'
    mkdir "$root/opt/package"
    cp "$@" "$root/opt/package"
    rm -f "$root/usr/sbin/policy-rc.d" # it would keep services from being started
    for unit in "$root"/etc/systemd/system/multi-user.target.wants/*; do
        [ ! -L "$unit" ] || rm "$unit"
    done
    cat >"$root/etc/systemd/system/package-test.service" <<END
[Unit]
After=multi-user.target
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/opt/package/booted /opt/package/now.deb /opt/package/newer.deb
StandardOutput=file:/opt/package/report
StandardError=file:/opt/package/errors
TimeoutStartSec=240
END
    mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
    ln -s ../package-test.service "$root/etc/systemd/system/multi-user.target.wants/"
    mount -t tmpfs run /run
    timeout -k 5 280 systemd-nspawn --quiet --register=no --keep-unit --private-network --directory="$root" --boot \
        </dev/null >"$root/opt/console" 2>&1 || true
    if [ -e "$root/opt/package/report" ]; then
        cat "$root/opt/package/report" "$root/opt/package/errors"
        grep -q "^ok - booted: nothing is left" "$root/opt/package/report" && ! grep -q "^not ok" "$root/opt/package/report"
    else
        echo "skipped: no systemd can be booted here: $(tail -n 1 "$root/opt/console" | tr -d "\r")"
    fi
'
namespaces=(unshare --mount --propagation private --pid --fork --kill-child)
space=$(mktemp -d)
trap 'rmdir "$space"; rm -f "$report_output"' EXIT
cp "$deb" "$out/now.deb"
files=("$out/now.deb" "$out/newer.deb" "$here"/{installed,booted,report.sh,use.sh})

# The machine as it was, but for the account's number.
clean_up() {
    dpkg -P --force-all bellhop >/dev/null 2>&1
    rm -rf /etc/bellhop /var/lib/bellhop /run/bellhop
    userdel bellhop 2>/dev/null
    rm -f "$policy"
}

on_the_machine() {
    if dpkg-query -W bellhop >/dev/null 2>&1 || getent passwd bellhop >/dev/null || [[ -e /etc/bellhop ]]; then
        echo "skipped: the package: no overlay can be mounted here, and Bellhop is installed on this machine"
        return
    fi
    policy=
    [[ -e /usr/sbin/policy-rc.d ]] || policy=/usr/sbin/policy-rc.d
    trap 'clean_up; rmdir "$space"' EXIT
    trap 'exit 1' INT TERM
    [[ -z $policy ]] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"; }
    BELLHOP_SOURCES=$root "$here/installed" "$out/now.deb" "$out/newer.deb" "$newer_version" || failed=1
}

if "${namespaces[@]}" bash -c "$copy_of_root" bash "$space" 2>/dev/null; then
    NEWER=$newer_version "${namespaces[@]}" bash -c "$in_chroot" bash "$space" "${files[@]}" || failed=1
    if command -v systemd-nspawn >/dev/null; then
        "${namespaces[@]}" --mount-proc bash -c "$in_container" bash "$space" "${files[@]}" || failed=1
    else
        echo "skipped: the services under systemd: systemd-nspawn is missing (package systemd-container)"
    fi
else
    echo "skipped: the services under systemd: no overlay can be mounted here"
    echo "   no overlay can be mounted here: on the machine itself"
    on_the_machine
fi

exit $failed
