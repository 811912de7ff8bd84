#!/usr/bin/env bash
# Makes sure that QGIS 3.40 or newer, with its Python and a virtual display, is on this machine.
# On Debian 12 it installs what is missing from backports; elsewhere it says what to install.
# The Python that sees QGIS is remembered in .cache/qgis-python.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=bookworm-backports
packages=(qgis python3-qgis qgis-providers python3-venv python3-pyqt5.qtsvg xvfb xauth)
log=.cache/apt.log
mkdir -p .cache
install -d -m 700 .cache/runtime
export QT_QPA_PLATFORM=offscreen XDG_RUNTIME_DIR="$PWD/.cache/runtime"

say() { printf 'terraweave: %s\n' "$*"; }
give_up() {
    say "$*" >&2
    exit 1
}

# The first Python here whose QGIS is new enough and which can make environments.
qgis_python() {
    local python
    for python in "${TERRAWEAVE_QGIS_PYTHON:-}" /usr/bin/python3 "$(command -v python3 || true)"; do
        if [ -n "$python" ] && "$python" 2>>.cache/qgis-check.log -c '
import sys, ensurepip, venv
from qgis.core import Qgis
from qgis.PyQt import QtSvg
sys.exit(Qgis.QGIS_VERSION_INT < 34000)'; then
            echo "$python"
            return
        fi
    done
    return 1
}

present() {
    command -v qgis_process >/dev/null && command -v xvfb-run >/dev/null || return 1
    qgis_python >.cache/qgis-python.new && mv .cache/qgis-python.new .cache/qgis-python
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >>"$log" 2>&1 || {
        tail -n 15 "$log" >&2
        give_up "apt-get $1 failed; its last lines are above, the whole of it is in $log."
    }
}

offers_qgis() {
    apt-cache madison qgis | awk '{ split($3, part, "."); if (part[1] > 3 || part[2] >= 40) found = 1 }
        END { exit !found }'
}

add_backports() {
    as_root tools/backports_source.sh /etc/apt || give_up "No apt source of suite bookworm was" \
        "found to derive $suite from; add $suite to the sources of this machine and run make again."
    say "Added $suite to the apt sources, from the mirror that this machine already uses."
    apt update
}

present && exit

name=$(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-}") || true
if [ "$(. /etc/os-release 2>/dev/null && echo "${ID:-}:${VERSION_CODENAME:-}")" != debian:bookworm ]; then
    give_up "QGIS 3.40 or newer with its Python is not on this machine (${name:-unknown system})." \
        "Only on Debian 12 does make install it by itself. Install QGIS, xvfb-run and Python's venv" \
        "module (Debian and Ubuntu call them: ${packages[*]}), name QGIS's Python in" \
        "TERRAWEAVE_QGIS_PYTHON if it is not the first python3, and run make again."
fi
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    give_up "QGIS 3.40 or newer is missing and only root can install it. Ask root to run" \
        "'apt-get install -t $suite ${packages[*]}' (with $suite among the apt sources), then" \
        "run make again."
fi

say "QGIS 3.40 or newer is missing. Installing it from $suite takes some minutes and about 2 GB;" \
    "what apt says goes to $log."
apt update
offers_qgis || add_backports
offers_qgis || give_up "The apt sources offer no QGIS 3.40 or newer, not even from $suite."
apt install -y --no-install-recommends -t "$suite" "${packages[@]}"
present || give_up "apt installed QGIS, but it does not start; see .cache/qgis-check.log."
say "QGIS is installed."
