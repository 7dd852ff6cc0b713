#!/bin/sh
# test_install.sh INSTALL_SCRIPT PLUGIN: the script installs what fits and refuses what does not, against a pg_config that
# says what it is told to.
set -eu
script=$1 plugin=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/package" "$folder/lib" "$folder/include"
cp "$script" "$plugin" "$folder/package/"
failures=0

built_for() # built_for MAJOR MACHINE GLIBC
{
    printf 'major=%s\nmachine=%s\nglibc=%s\noptions="BLCKSZ=8192 NAMEDATALEN=64"\n' "$@" >"$folder/package/built-for"
}

server() # server VERSION
{
    cat >"$folder/pg_config" <<END
#!/bin/sh
case \$1 in
--version) echo "$1" ;;
--pkglibdir) echo "$folder/lib" ;;
--includedir-server) echo "$folder/include" ;;
esac
END
    chmod +x "$folder/pg_config"
}

expect() # expect WHAT STATUS WORDS [ARGUMENT …]
{
    what=$1 wanted=$2 words=$3
    shift 3
    status=0
    said=$("$folder/package/install.sh" "$@" "$folder/pg_config" 2>&1) || status=$?
    case $said in
    *"$words"*) ;;
    *) status="$status, without \"$words\"" ;;
    esac
    if [ "$status" = "$wanted" ]; then
        echo "ok $what"
    else
        echo "NOT OK $what: $status: $said"
        failures=$((failures + 1))
    fi
}

machine=$(uname -m)
built_for 11 "$machine" 2.17
server 'PostgreSQL 11.22'
expect 'a look changes nothing' 0 'fits' --check
[ ! -e "$folder/lib/penstock.so" ] || { echo 'NOT OK --check installed it'; failures=$((failures + 1)); }

echo old >"$folder/lib/penstock.so"
ln "$folder/lib/penstock.so" "$folder/in-use" # as a server at work has it
expect 'what fits is installed' 0 'Installed'
cmp -s "$plugin" "$folder/lib/penstock.so" || { echo 'NOT OK another file is there'; failures=$((failures + 1)); }
[ "$(cat "$folder/in-use")" = old ] || { echo 'NOT OK the old file was written over'; failures=$((failures + 1)); }
[ "$(ls "$folder/lib")" = penstock.so ] || { echo 'NOT OK something is left beside it'; failures=$((failures + 1)); }

printf '#define BLCKSZ 8192\n' >"$folder/include/pg_config.h"
printf '#define NAMEDATALEN 64\n' >"$folder/include/pg_config_manual.h"
expect 'the headers of the server agree' 0 'Installed'
printf '#define BLCKSZ 32768\n' >"$folder/include/pg_config.h"
expect 'a server with other build options' 1 'BLCKSZ 32768'
rm "$folder/include"/*

server 'PostgreSQL 14.2'
expect 'another major' 1 'for PostgreSQL 11'
server 'PostgreSQL 111.1'
expect 'a major that begins alike' 1 'for PostgreSQL 11'
server 'EnterpriseDB 11.5.12'
expect 'a fork' 1 'not PostgreSQL'
server 'PostgreSQL 11.22 (Debian 11.22-1)'
expect 'the word of a distribution' 0 'fits' --check
built_for 11 vax 2.17
expect 'another machine' 1 'for vax'
built_for 11 "$machine" 2.999
expect 'an old C library' 1 'needs glibc 2.999'
built_for 11 "$machine" 2.4
expect 'numbers are not text' 0 'fits' --check
[ "$failures" = 0 ]
