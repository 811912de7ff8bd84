#!/usr/bin/env bash
# backports_source.sh FOLDER: writes FOLDER/sources.list.d/terraweave-backports.{sources,list},
# FOLDER being /etc/apt: the machine's own sources of suite bookworm with the suite replaced, so
# that keys, options and mirrors stay as the machine has them. Ends with 1 where there are none.
set -euo pipefail
folder=$1
target=$folder/sources.list.d/terraweave-backports

together() {
    local file
    for file in "$@"; do
        if [ -e "$file" ]; then cat "$file" && echo; fi
    done
}

# Paragraphs of deb822 files, without comments and without those that are switched off.
stanzas=$(together "$folder"/sources.list.d/*.sources | sed '/^#/d' | awk -v RS= '
    /(^|\n)Types:[^\n]*deb( |\n|$)/ && /(^|\n)Suites:([^\n]* )?bookworm( |\n|$)/ &&
        !/(^|\n)Enabled: *no/ && !/cdrom:/ {
        gsub(/(^|\n)Suites:[^\n]*/, "\nSuites: bookworm-backports")
        sub(/^\n/, "")
        print $0 "\n"
    }')
lines=$(together "$folder/sources.list" "$folder"/sources.list.d/*.list | sed -nE '
    /cdrom:/d
    s/^[ \t]*(deb[ \t]+(\[[^]]*\][ \t]+)?[^ \t]+[ \t]+)bookworm([ \t].*)$/\1bookworm-backports\3/p' |
    sort -u)

if [ -n "$stanzas" ]; then
    printf '%s\n' "$stanzas" >"$target.sources"
elif [ -n "$lines" ]; then
    printf '%s\n' "$lines" >"$target.list"
else
    exit 1
fi
