# Starts and stops the demo's servers: PostgreSQL 11 (source) and 14 (target) with one role set, and PgBouncer before
# them. Sourced by quickstart. Everything lives in $RUN and dies with stop_servers.
#
# Needs: RUN (a folder that the server user owns, with the decoder in plugin/), and t/install.d/common.sh.

SOURCE_PORT=15411
TARGET_PORT=15414
PROXY_PORT=15432

start_cluster() { # start_cluster NAME MAJOR PORT
    local name=$1 bin=$servers_folder/pg$2/bin port=$3
    as_test_user "$bin/initdb" -D "$RUN/$name" -U postgres -E UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=md5 >"$RUN/$name-initdb.log"
    as_test_user tee -a "$RUN/$name/postgresql.conf" >/dev/null <<CONF
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = '$RUN'
shared_buffers = 256MB
max_wal_size = 2GB
wal_level = logical
password_encryption = md5
dynamic_library_path = '\$libdir:$RUN/plugin'
CONF
    as_test_user "$bin/pg_ctl" -D "$RUN/$name" -l "$RUN/$name.log" -w -t 60 start >/dev/null
    sql "$port" postgres -q <<SQL
ALTER ROLE postgres PASSWORD 'postgres';
CREATE ROLE shop_app LOGIN PASSWORD 'shop';
CREATE ROLE shop_report;
CREATE DATABASE appdb;
SQL
}

sql() { # sql PORT DATABASE [psql arguments]
    psql -h "$RUN" -p "$1" -U postgres -d "$2" -X -v ON_ERROR_STOP=1 "${@:3}"
}

start_proxy() {
    as_test_user tee "$RUN/pgbouncer.ini" >/dev/null <<CONF
; The proxy of the demo. Penstock edits the host and port of appdb, and nothing else.
[databases]
appdb = host=127.0.0.1 port=$SOURCE_PORT dbname=appdb

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $PROXY_PORT
unix_socket_dir =
auth_type = md5
auth_file = $RUN/users.txt
admin_users = admin
pool_mode = transaction
default_pool_size = 20
server_login_retry = 1
logfile = $RUN/pgbouncer.log
pidfile = $RUN/pgbouncer.pid
CONF
    as_test_user tee "$RUN/users.txt" >/dev/null <<CONF
"shop_app" "shop"
"admin" "admin"
CONF
    as_test_user pgbouncer -q -d "$RUN/pgbouncer.ini"
    local proxy_tries=0
    until PGPASSWORD=shop psql -X -h 127.0.0.1 -p $PROXY_PORT -U shop_app -d appdb -Atc 'SELECT 1' >/dev/null 2>&1; do
        [ $((proxy_tries += 1)) -le 100 ] || fail "PgBouncer does not answer on port $PROXY_PORT" "See $RUN/pgbouncer.log"
        sleep 0.1
    done
}

stop_servers() {
    local name
    [ ! -f "$RUN/pgbouncer.pid" ] || kill "$(cat "$RUN/pgbouncer.pid")" 2>/dev/null || true
    for name in source:11 target:14; do
        [ ! -f "$RUN/${name%:*}/postmaster.pid" ] ||
            as_test_user "$servers_folder/pg${name#*:}/bin/pg_ctl" -D "$RUN/${name%:*}" -m immediate -w stop >/dev/null 2>&1 || true
    done
}
