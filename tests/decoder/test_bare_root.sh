#!/bin/sh
# The plugin is loaded, and decodes, in a real PostgreSQL 11 whose root folder has glibc, a shell and the server's own tree, and no
# libzstd, libxxhash or libprotobuf-c. Takes root, for chroot, and the server that t/install brings; else it is skipped (77).
#
#   test_bare_root.sh PLUGIN [SERVER-TREE]
set -eu
plugin=$1
tree=${2:-${PENSTOCK_SERVERS:-/var/cache/penstock/servers}/pg11}
[ "$(id -u)" -eq 0 ] || { echo "skipped: only root may chroot"; exit 77; }
[ -x "$tree/bin/postgres" ] || { echo "skipped: no server in $tree"; exit 77; }

# The same user runs the other tests' servers; any that is not root would do.
user=$(id -u postgres 2>/dev/null || id -u nobody)
root=$(mktemp -d)
# Without /proc the server's programs cannot tell where their own libraries are.
enter() { LD_LIBRARY_PATH=/pg/native/lib chroot --userspec="$user:$user" "$root" "$@"; }
leave() {
    enter /pg/native/bin/pg_ctl -D /data -m immediate -w stop >/dev/null 2>&1 || true
    rm -rf "$root"
}
trap leave EXIT
trap 'exit 1' INT TERM HUP

# glibc's files, what the server's own ICU needs of a compiler, and no other library of this machine.
mkdir -p "$root/bin" "$root/dev" "$root/tmp" "$root/data" "$root/etc"
for library in libc libm libdl librt libpthread libresolv libnss_files libstdc++ libgcc_s; do # the last two: for its ICU
    for path in /lib/x86_64-linux-gnu/$library.so.* /lib64/$library.so.*; do
        case $path in *'*'*) continue ;; esac
        mkdir -p "$root$(dirname "$path")"
        cp -L "$path" "$root$path"
    done
done
mkdir -p "$root/lib64"
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
cp -L /bin/sh "$root/bin/sh"
cp -a "$tree" "$root/pg"
cp "$plugin" "$root/pg/native/lib/postgresql/penstock.so"
echo "postgres:x:$user:$user::/tmp:/bin/sh" >"$root/etc/passwd"
mknod -m 666 "$root/dev/null" c 1 3 && mknod -m 666 "$root/dev/urandom" c 1 9 || { echo "skipped: no devices here"; exit 77; }
chown "$user:$user" "$root/data" "$root/tmp"
chmod 700 "$root/data"
chmod 755 "$root"
# The server's own tree brings none of them either, or this would prove nothing.
if find "$root" -name 'libzstd*' -o -name 'libxxhash*' -o -name 'libprotobuf*' | grep .; then
    echo "the root has what it should lack"
    exit 1
fi

enter /pg/native/bin/initdb -D /data -A trust --no-sync --no-locale -E UTF8 >/dev/null 2>&1
enter /pg/native/bin/pg_ctl -D /data -w -l /data/log -o "-c wal_level=logical -c fsync=off -c listen_addresses= -k /tmp" start >/dev/null ||
    { cat "$root/data/log"; exit 1; }
# The tree has no psql: this machine's asks, from outside, over the socket.
sql() { PATH=$PATH:/usr/lib/postgresql/15/bin psql -h "$root/tmp" -U postgres -XAtq -v ON_ERROR_STOP=1 -d postgres -c "$1"; }
sql "CREATE TABLE t (id int PRIMARY KEY, v text)"
sql "SELECT pg_create_logical_replication_slot('s', 'penstock')" >/dev/null || { cat "$root/data/log"; exit 1; }
sql "INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 1000) g"
bytes=$(sql "SELECT sum(length(data)) FROM pg_logical_slot_get_binary_changes('s', NULL, NULL)")
# 1,000 rows of more than 100 bytes in much less: the compression that is linked in has worked.
if [ "${bytes:-0}" -le 0 ] || [ "$bytes" -ge 50000 ]; then
    echo "decoded ${bytes:-nothing} bytes"
    exit 1
fi
echo "PostgreSQL $(sql 'SHOW server_version') without libzstd, libxxhash and libprotobuf-c: $bytes bytes decoded"
