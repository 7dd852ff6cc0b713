# The demo's applications: pgbench's TPC-B and the shop's scripts, both through the proxy, from before the copy until
# after the switch. Sourced by quickstart.
#
# Each transaction leaves one row in a ledger (pgbench_history; shop.ledger), and pgbench logs each transaction that
# the server acknowledged: at the end the two must agree, whatever Penstock itself says.

start_load() {
    local common=(-h 127.0.0.1 -p "$PROXY_PORT" -U shop_app -n -T 3600 -l)
    export PGPASSWORD=shop
    pgbench "${common[@]}" -c 8 -R "$BENCH_RATE" --log-prefix "$RUN/log-bench" -b tpcb-like appdb \
        >"$RUN/bench.out" 2>&1 &
    BENCH_PID=$!
    pgbench "${common[@]}" -c 8 -R "$SHOP_RATE" --log-prefix "$RUN/log-shop" -f demo/load/order.sql@6 \
        -f demo/load/edit.sql@6 -f demo/load/keys.sql@2 -f demo/load/import.sql@1 appdb >"$RUN/shop.out" 2>&1 &
    SHOP_PID=$!
    unset PGPASSWORD
}

# SIGALRM is what ends a pgbench run when its time is over: every client finishes its transaction first.
stop_load() {
    kill -ALRM "$BENCH_PID" "$SHOP_PID" 2>/dev/null || true
    wait "$BENCH_PID" || load_failed=1
    wait "$SHOP_PID" || load_failed=1
    BENCH_PID='' SHOP_PID=''
}

kill_load() {
    [ -z "${BENCH_PID:-}" ] || kill "$BENCH_PID" "$SHOP_PID" 2>/dev/null || true
}

acknowledged() { # acknowledged bench|shop: transactions that clients saw commit
    cat "$RUN/log-$1".* | wc -l
}

client_errors() {
    grep -cE 'ERROR|FATAL|aborted|lost' "$RUN/bench.out" "$RUN/shop.out" | awk -F: '{n += $2} END {print n}'
}

longest_pause() { # the slowest transaction of all, in seconds
    cat "$RUN"/log-bench.* "$RUN"/log-shop.* | awk '$3 > max {max = $3} END {printf "%.2f", max / 1e6}'
}
