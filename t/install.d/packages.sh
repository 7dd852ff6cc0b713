# Debian's packages: the one list, and how what is missing of it gets installed.

# package            what for
debian_packages=$(sed 's/ *#.*//' <<'LIST'
binutils             # reads what the plugin needs
gcc                  # the compiler of a release build
clang                # the second compiler, and the fuzzers'
libclang-rt-14-dev   # clang's sanitizer and fuzzer runtimes
clang-format         # decides the layout of the sources
cmake                # builds
ninja-build          # builds
pkg-config           # finds the libraries
libc6-dev            # C library headers
libpq-dev            # connections to PostgreSQL
libzstd-dev          # compression on the wire
libprotobuf-c-dev    # a second opinion on the wire, in tests
protobuf-c-compiler  # its code, generated at build time
make                 # builds the plugin in the other way
dpkg-dev             # finds what the packages depend on
libxxhash-dev        # hashing of keys to lanes
libuv1-dev           # event loop
libjansson-dev       # JSON
libmicrohttpd-dev    # the page of `penstock serve`
libpg-query-dev      # takes DDL apart
uthash-dev           # hash tables
libcmocka-dev        # unit tests
postgresql-15        # a server of a later major; initdb, contrib
postgresql-client-15 # psql, pg_dump, pg_restore, pgbench for every server here
postgresql-server-dev-15 # headers of 15, PostgreSQL::Test
libipc-run-perl      # asked for by PostgreSQL::Test
perl                 # prove
pgbouncer            # the proxy in front of the servers
locales              # money in other currencies
prometheus           # promtool reads the metrics and the alerts of docs/monitoring
iproute2             # networks that tests cut
LIST
)

package_is_installed()
{
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_packages()
{
    local package
    for package in $debian_packages; do
        package_is_installed "$package" || printf '%s ' "$package"
    done
    command -v npm >/dev/null || printf 'npm '
    command -v node >/dev/null || printf 'nodejs '
}

# Installing must start nothing: neither Debian's own cluster nor the PgBouncer service. Two switches of Debian's say
# so; each is put back afterwards, because they speak for the whole machine.
quiet_switch_files="/usr/sbin/policy-rc.d /etc/postgresql-common/createcluster.d/penstock.conf"
quiet_switches_made=""

put_quiet_switches()
{
    local file
    as_root mkdir -p /etc/postgresql-common/createcluster.d
    for file in $quiet_switch_files; do
        [ -e "$file" ] && continue
        case $file in
        */policy-rc.d) printf '#!/bin/sh\nexit 101\n' | as_root tee "$file" >/dev/null && as_root chmod 755 "$file" ;;
        *) printf 'create_main_cluster = false\n' | as_root tee "$file" >/dev/null ;;
        esac
        quiet_switches_made="$quiet_switches_made $file"
    done
}

remove_quiet_switches()
{
    [ -z "$quiet_switches_made" ] || as_root rm -f $quiet_switches_made
    quiet_switches_made=""
}

apt()
{
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@"
}

# run_logged LOG COMMAND …: the output goes to LOG and is shown only if the command fails.
run_logged()
{
    local log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null || { tail -n 30 "$log" >&2; return 1; }
}

install_packages()
{
    local missing log
    missing=$(missing_packages)
    [ -n "$missing" ] || { say "packages: all there"; return; }

    command -v apt-get >/dev/null || fail "this is not Debian: apt-get is missing" \
        "Install by your system's own means: $missing"
    say "packages: installing $missing"
    log=$(mktemp)
    trap remove_quiet_switches EXIT
    run_logged "$log" apt update || say "packages: apt-get update had errors (shown above), going on with the lists there are"
    put_quiet_switches
    run_logged "$log" apt install --no-install-recommends $missing || fail "apt-get could not install the packages" \
        "Is there a network, and is /etc/apt/sources.list right? Debian 12 (bookworm) has all of them." \
        "To see the whole output: apt-get install --no-install-recommends $missing"
    case " $missing " in
    *" pgbouncer "*) as_root update-rc.d pgbouncer disable >/dev/null 2>&1 || true ;;
    esac
    remove_quiet_switches
    trap - EXIT
    rm -f "$log"
    say "packages: done"
}
