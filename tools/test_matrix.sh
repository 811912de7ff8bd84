#!/usr/bin/env bash
# Runs the host's tests on a newer QGIS than this machine's: that of Debian forky, in a folder of its
# own below .cache/matrix, and the pure-Qt widgets on PyQt6. The worker is this machine's, with its
# Python, so that the host's tests that talk to a worker run there too. Needs root, debootstrap and
# a Debian machine whose mirror has forky; takes 4 GB and, the first time, ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=forky
packages=(qgis python3-qgis qgis-providers python3-venv python3-pyqt5.qtsvg openssl git gdal-bin)
root=$PWD/.cache/matrix/$suite
log=$PWD/.cache/matrix/$suite.log
mkdir -p .cache/matrix

say() { printf 'terraweave: %s\n' "$*"; }
give_up() {
    say "$*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || give_up "Only root can make a system in a folder; run make test-matrix as root."
command -v debootstrap >/dev/null || give_up "debootstrap is missing; install it and run make again."

# The mirror that this machine already uses.
mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null || true; } |
    sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+) .*/\2/p' | grep -v security | sort -u | head -n 1)
[ -n "$mirror" ] || give_up "No mirror was found in the apt sources of this machine."

# Mounts are made in a namespace of their own, which ends with the command.
inside() {
    unshare --mount -- sh -c 'mount -t proc proc "$0/proc" && exec "$@"' "$root" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive QT_QPA_PLATFORM=offscreen OMP_NUM_THREADS=1 \
        $(env | grep -iE '^(https?|all|no)_proxy=|^PIP_CERT=|^SSL_CERT_FILE=|^REQUESTS_CA_BUNDLE=' || true) \
        chroot "$root" "$@"
}

if [ ! -e "$root/made" ]; then
    say "Making a system with QGIS of Debian $suite in .cache/matrix; details go to .cache/matrix/$suite.log."
    rm -rf "$root"
    debootstrap --variant=minbase "$suite" "$root" "$mirror" /usr/share/debootstrap/scripts/sid >"$log" 2>&1 ||
        give_up "debootstrap failed; see .cache/matrix/$suite.log."
    # How this machine reaches its mirror and its package index, it does inside too.
    find /etc/apt/apt.conf.d -name '9*' -exec cp {} "$root/etc/apt/apt.conf.d/" \;
    cp /etc/resolv.conf "$root/etc/"
    {
        inside apt-get update
        inside apt-get install -y --no-install-recommends "${packages[@]}"
    } >>"$log" 2>&1 || give_up "QGIS could not be installed; see .cache/matrix/$suite.log."
    touch "$root/made"
fi
if [ ! -x "$root/host/bin/pytest" ]; then
    # After apt, which writes the list of authorities anew.
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    [ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/"
    {
        inside python3 -m venv --system-site-packages /host
        inside /host/bin/python -m pip install pytest pytest-qgis
    } >>"$log" 2>&1 || give_up "pytest could not be installed; see .cache/matrix/$suite.log."
fi

rm -rf "$root/source"
mkdir -p "$root/source" "$root/dev/shm"
# What is committed or staged fits together; what somebody is writing just now may not.
git -c safe.directory="$PWD" checkout-index --all --prefix="$root/source/"
# The worker and its Python lie where they do on this machine, as links where these are possible.
python=$(readlink -f .venv/worker/bin/python)
library=$("$python" -c 'import os; print(os.path.dirname(os.__file__))')
[ -e "$root$library" ] || cp -a --parents "$python" "$library" "$root/"
mkdir -p "$root/source/.venv"
cp -al .venv/worker "$root/source/.venv/" 2>/dev/null || cp -a .venv/worker "$root/source/.venv/"
say "The host's tests on $(inside qgis_process --version 2>/dev/null | head -n 1)."
inside sh -c 'cd /source && mkdir -p -m 700 /run/runtime && XDG_RUNTIME_DIR=/run/runtime \
    QGIS_CUSTOM_CONFIG_PATH=/tmp/profile TERRAWEAVE_PYTHON= \
    /host/bin/python -m pytest tests/plugin tests/ui -m "not slow" -p no:cacheprovider "$@"' sh "$@"

say "The pure-Qt widgets on PyQt6."
tools/provision_environment.sh qt6 tests/requirements-qt6.txt
QT_QPA_PLATFORM=offscreen .venv/qt6/bin/python -m pytest tests/qt
