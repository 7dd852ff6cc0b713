# Sourced by bench scripts that need a source and a target: two clusters in $run, a PostgreSQL 11 and a PostgreSQL 14.
#
# $BENCH_PORT is the source's port, the next one the target's. Replication and applier go over TCP, as between hosts; sockets for
# the rest are in $run. shellcheck shell=bash

source_port=${BENCH_PORT:-15511} target_port=$((${BENCH_PORT:-15511} + 1))
build=${BENCH_BUILD:-$root_folder/build/release}
PATH=$build/bin:$debian_server/bin:$PATH

on() # on PORT DATABASE SQL
{
    psql -h "$run" -p "$1" -U postgres -d "$2" -X -At -q -v ON_ERROR_STOP=1 -c "$3"
}

minus() { awk "BEGIN {printf \"%.2f\", $1 - $2}"; }
plus() { awk "BEGIN {printf \"%.2f\", $1 + $2}"; }

use_servers()
{
    source_uri="host=127.0.0.1 port=$source_port user=postgres dbname=bench"
    export PENSTOCK_SOURCE=$source_uri PENSTOCK_TARGET="host=127.0.0.1 port=$target_port user=postgres dbname=bench"
}

start_cluster() # start_cluster NAME MAJOR PORT
{
    local bin=$servers_folder/pg$2/bin
    as_test_user "$bin/initdb" -D "$run/$1" -U postgres -E UTF8 --locale=C -A trust >/dev/null
    as_test_user tee -a "$run/$1/postgresql.conf" >/dev/null <<CONF
port = $3
listen_addresses = '127.0.0.1'
unix_socket_directories = '$run'
shared_buffers = 512MB
max_wal_size = 8GB
checkpoint_timeout = 1h
wal_level = logical
track_commit_timestamp = ${BENCH_COMMIT_TIMESTAMPS:-off}
dynamic_library_path = '\$libdir:$run/plugin'
CONF
    as_test_user "$bin/pg_ctl" -D "$run/$1" -l "$run/$1.log" -w start >/dev/null
}

start_servers()
{
    [ -x "$build/bin/penstock-applier" ] || fail "$build/bin/penstock-applier is not there" "cmake --build --preset release"
    [ "$(id -u)" != 0 ] || chown "$test_user" "$run"
    chmod 755 "$run"
    mkdir "$run/plugin"
    cp "$build/decoder/pg11/penstock.so" "$run/plugin/"
    start_cluster source 11 "$source_port"
    start_cluster target 14 "$target_port"
    use_servers
}

stop_servers()
{
    local name
    for name in source:11 target:14; do
        [ ! -f "$run/${name%:*}/postmaster.pid" ] || as_test_user "$servers_folder/pg${name#*:}/bin/pg_ctl" \
            -D "$run/${name%:*}" -m immediate -w stop >/dev/null 2>&1 || true
    done
    [ -z "$run" ] || rm -rf "$run"
    run=
}

# server_cpu NAME: CPU seconds of all processes that the server has, or had.
server_cpu()
{
    local postmaster
    postmaster=$(head -1 "$run/$1/postmaster.pid")
    cat "/proc/$postmaster/stat" $(pgrep -P "$postmaster" | sed 's:.*:/proc/&/stat:') 2>/dev/null |
        sed 's/.*) //' | awk -v p="$(getconf CLK_TCK)" '{t += $12 + $13; if (NR == 1) t += $14 + $15} END {printf "%.2f", t / p}'
}
