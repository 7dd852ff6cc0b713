#!/bin/sh
# Installs the output plugin penstock.so of this folder into a PostgreSQL server.
#
#     ./install.sh [--check] [PG_CONFIG]
#
# PG_CONFIG is the pg_config of that server (the one on PATH unless given). It is checked first that the file is for this
# server: machine, C library, product, major version, and the build options that decide how data lies in memory. With --check
# that is all. The file is put beside an older one and renamed over it: a server at work goes on with the old one until
# a walsender begins anew. Nothing is restarted.
set -eu

folder=$(cd "$(dirname "$0")" && pwd)
plugin=$folder/penstock.so

fail()
{
    echo "install.sh: $1" >&2
    [ $# -lt 2 ] || echo "$2" >&2
    exit 1
}

usage()
{
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit "$1"
}

check_only=
pg_config=pg_config
for argument in "$@"; do
    case $argument in
    --check) check_only=yes ;;
    --help) usage 0 ;;
    -*) usage 2 ;;
    *) pg_config=$argument ;;
    esac
done

[ -f "$plugin" ] && [ -f "$folder/built-for" ] || fail "penstock.so and built-for have to lie beside this script"
# major=…, machine=…, glibc=… and the options of the server that it was built for.
. "$folder/built-for"

check_machine()
{
    [ "$(uname -s)" = Linux ] || fail "this file is for Linux"
    [ "$(uname -m)" = "$machine" ] || fail "this file is for $machine, and this machine is $(uname -m)"
    have=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/^glibc //') || have=
    [ -n "$have" ] || fail "this system's C library is not glibc" "Build the plugin here: see decoder/package/README."
    oldest=$(printf '%s\n%s\n' "$glibc" "$have" | sort -t. -k1,1n -k2,2n | head -n 1)
    [ "$oldest" = "$glibc" ] || fail "this file needs glibc $glibc, and here is $have" \
        "Build the plugin here: see decoder/package/README."
}

check_server()
{
    version=$("$pg_config" --version 2>/dev/null) || fail "\"$pg_config\" does not run" \
        "Name the server's own: ./install.sh /path/to/bin/pg_config"
    case $version in
    "PostgreSQL $major".*) ;;
    PostgreSQL*) fail "this file is for PostgreSQL $major, and $pg_config belongs to $version" ;;
    *) fail "$pg_config belongs to \"$version\", which is not PostgreSQL" "A fork lays its data out in its own way." ;;
    esac
}

# The server's own headers say how it was built, where they are installed.
check_options()
{
    header=$("$pg_config" --includedir-server)/pg_config.h
    manual=$("$pg_config" --includedir-server)/pg_config_manual.h
    if [ ! -r "$header" ] || [ ! -r "$manual" ]; then
        echo "The server's headers are not installed: it will say itself, on loading the file, whether its build options fit."
        return
    fi
    for option in $options; do
        name=${option%%=*} want=${option#*=}
        got=$(cat "$header" "$manual" | sed -n "s/^#define $name  *//p" | sed 's/ .*//' | head -n 1)
        [ "${got:-none}" = "$want" ] || fail "the server was built with $name ${got:-none}, and this file is for $want"
    done
}

check_machine
check_server
check_options
destination=$("$pg_config" --pkglibdir)
[ -d "$destination" ] || fail "the folder of libraries $destination is not there"
echo "$version on $machine: penstock.so fits."
[ -z "$check_only" ] || exit 0

new=$destination/penstock.so.new.$$
trap 'rm -f "$new"' EXIT
cp "$plugin" "$new" 2>/dev/null || fail "cannot write to $destination" "Run this as its owner: sudo ./install.sh $pg_config"
chmod 755 "$new"
mv -f "$new" "$destination/penstock.so"
trap - EXIT
echo "Installed $destination/penstock.so. No restart is needed; wal_level has to be logical."
