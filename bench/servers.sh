# Sourced by bench scripts that need a source and a target: two clusters in $run, of the majors $source_major and $target_major,
# 11 and 14 unless the script says otherwise before it starts them.
#
# $BENCH_PORT is the source's port, the next one the target's. Replication and applier go over TCP, as between hosts; sockets for
# the rest are in $run. shellcheck shell=bash

source_port=${BENCH_PORT:-15511} target_port=$((${BENCH_PORT:-15511} + 1))
source_major=11 target_major=14
build=${BENCH_BUILD:-$root_folder/build/release}
PATH=$build/bin:$debian_server/bin:$PATH

on() # on PORT DATABASE SQL
{
    psql -h "$run" -p "$1" -U postgres -d "$2" -X -At -q -v ON_ERROR_STOP=1 -c "$3"
}

# Of database bench of the source, with these options. In the background, $! is the shell that waits for it.
source_psql() { psql -h "$run" -p "$source_port" -U postgres -d bench -X -q "$@"; }
source_pgbench() { pgbench -h "$run" -p "$source_port" -U postgres "$@" bench; }

make_databases()
{
    on "$source_port" postgres 'CREATE DATABASE bench'
    on "$target_port" postgres 'CREATE DATABASE bench'
}

fill_pgbench() # fill_pgbench SCALE
{
    source_pgbench -i -q -s "$1" >/dev/null 2>&1
}

minus() { awk "BEGIN {printf \"%.2f\", $1 - $2}"; }
plus() { awk "BEGIN {printf \"%.2f\", $1 + $2}"; }

use_servers()
{
    source_uri="host=127.0.0.1 port=$source_port user=postgres dbname=bench"
    export PENSTOCK_SOURCE=$source_uri PENSTOCK_TARGET="host=127.0.0.1 port=$target_port user=postgres dbname=bench"
}

server_bin() # server_bin MAJOR
{
    if [ -x "/usr/lib/postgresql/$1/bin/postgres" ]; then echo "/usr/lib/postgresql/$1/bin"; else echo "$servers_folder/pg$1/bin"; fi
}

start_cluster() # start_cluster NAME MAJOR PORT
{
    local bin
    bin=$(server_bin "$2")
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
max_locks_per_transaction = ${locks_per_transaction:-64}
fsync = ${fsync:-on}
CONF
    as_test_user "$bin/pg_ctl" -D "$run/$1" -l "$run/$1.log" -w -t 3600 start >/dev/null
}

# Late minor releases load only the plugins that a setting names; early ones do not know the setting.
allow_plugin()
{
    [ -n "$(on "$source_port" postgres "SELECT 1 FROM pg_settings WHERE name = 'output_plugin_libraries'")" ] || return 0
    on "$source_port" postgres "ALTER SYSTEM SET output_plugin_libraries = 'pgoutput', 'test_decoding', 'penstock'"
    on "$source_port" postgres 'SELECT pg_reload_conf()' >/dev/null
    until [[ $(on "$source_port" postgres 'SHOW output_plugin_libraries') == *penstock* ]]; do sleep 0.1; done
}

start_servers()
{
    [ -x "$build/bin/penstock-applier" ] || fail "$build/bin/penstock-applier is not there" "cmake --build --preset release"
    [ "$(id -u)" != 0 ] || chown "$test_user" "$run"
    chmod 755 "$run"
    mkdir "$run/plugin"
    cp "$build/decoder/pg$source_major/penstock.so" "$run/plugin/"
    start_cluster source "$source_major" "$source_port"
    start_cluster target "$target_major" "$target_port"
    allow_plugin
    echo "source_major=$source_major target_major=$target_major" >"$run/majors"
    use_servers
}

stop_servers()
{
    local name
    # shellcheck disable=SC1091
    [ ! -f "$run/majors" ] || . "$run/majors"
    for name in "source:$source_major" "target:$target_major"; do
        [ ! -f "$run/${name%:*}/postmaster.pid" ] || as_test_user "$(server_bin "${name#*:}")/pg_ctl" \
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

# The most private memory (MB) that one process of the kind had while it was watched: of the source, our programs, the target.
# watch_memory FILE OPTION …: runs until it is ended; FILE is written over and over; the options of pgrep say which are ours.
watch_memory()
{
    local file=$1 source target most_source=0 most_ours=0 most_target=0
    shift
    echo 0 0 0 >"$file"
    source=$(head -1 "$run/source/postmaster.pid") target=$(head -1 "$run/target/postmaster.pid")
    while :; do
        most_source=$(largest "$most_source" $(pgrep -P "$source"))
        most_target=$(largest "$most_target" $(pgrep -P "$target"))
        most_ours=$(largest "$most_ours" $(pgrep "$@" || true))
        echo "$most_source $most_ours $most_target" >"$file"
        sleep 0.3
    done
}

largest() # largest SO_FAR PID …
{
    local most=$1
    shift
    for pid in "$@"; do cat "/proc/$pid/status" 2>/dev/null || true; done |
        awk -v most="$most" '/^RssAnon/ {mb = $2 / 1024; if (mb > most) most = mb} END {printf "%.0f\n", most}'
}

# relay delay SECONDS: each byte to and from the source comes so late; relay rate BYTES: so many a second come from it, on each
# connection. Leaves its port in $run/relay.
relay()
{
    perl -I "$root_folder/t/lib" -MPenstockTest::Forwarder -e '
        package Source; sub port { $ARGV[1] } package main;
        my $forwarder = PenstockTest::Forwarder->start_new(bless({}, "Source"), $ARGV[4] => $ARGV[0]);
        open(my $file, ">", $ARGV[2]) or die "$ARGV[2]: $!"; print $file $forwarder->{port}; close($file);
        sleep 1 while getppid() == $ARGV[3];' "$2" "$source_port" "$run/relay" $$ "$1" &
    while [ ! -s "$run/relay" ]; do sleep 0.1; done
}
