#!/usr/bin/env bash
# provision_environment.sh NAME REQUIREMENTS...: makes or completes the environment .venv/NAME.
# The environment named host sees QGIS's Python and packages; all others (worker, package) have a
# Python of their own and no system packages. A stamp keyed by the requirement files makes the second call quick.
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1
shift
folder=.venv/$name
stamp=$folder/made-from

say() { printf 'terraweave: %s\n' "$*"; }
give_up() {
    say "$*" >&2
    exit 1
}

own_python() {
    local python
    for python in /usr/bin/python3.11 python3.11 python3.12 python3.13 python3.10 python3; do
        if "$python" 2>/dev/null -c '
import ensurepip, sys, venv
sys.exit(not (3, 10) <= sys.version_info < (3, 14))'; then
            command -v "$python"
            return
        fi
    done
    give_up "No Python from 3.10 to 3.13 with the venv module was found for the $name environment;" \
        "install one (Debian: python3 and python3-venv) and run make again."
}

make_folder() {
    local python
    rm -rf "$folder"
    if [ "$name" = host ]; then
        python=$(cat .cache/qgis-python)
        "$python" -m venv --system-site-packages "$folder"
    else
        python=$(own_python)
        "$python" -m venv "$folder"
    fi
}

# Lines of the stamp: one for each requirement file that has been installed.
todo=()
for file in "$@"; do
    grep -qxF "$(cksum "$file")" "$stamp" 2>/dev/null || todo+=("$file")
done
[ ${#todo[@]} = 0 ] && "$folder/bin/python" -c '' 2>/dev/null && exit

if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    say "Making the $name environment in $folder."
    make_folder
    todo=("$@")
fi
log=.cache/pip-$name.log
mkdir -p .cache
requirements=()
for file in "$@"; do requirements+=(-r "$file"); done
say "Installing ${todo[*]} into $folder; this can take some minutes. Details go to $log."
"$folder/bin/python" -m pip install --disable-pip-version-check "${requirements[@]}" >"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    give_up "pip could not install ${todo[*]}; its last lines are above, the whole of it is in $log."
}
# Files installed earlier but not named this time keep their lines.
{
    cat "$stamp" 2>/dev/null || true
    for file in "$@"; do cksum "$file"; done
} | awk '{ latest[$3] = $0 } END { for (file in latest) print latest[file] }' >"$stamp.new"
mv "$stamp.new" "$stamp"
say "The $name environment is ready."
