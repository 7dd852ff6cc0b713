# Sourced by the scripts that install, build and test: where things are, and how they speak to the person who runs them.
#
#   root_folder   the checkout
#   cache_folder  where downloaded servers are kept between runs. PENSTOCK_CACHE chooses another one.
#
# PostgreSQL refuses to run as root. So when root runs the tests, the servers run as $test_user, who may not be able to
# enter the checkout: root's cache is therefore a folder of the system, which every checkout shares.

root_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
if [ "$(id -u)" = 0 ]; then
    cache_folder=${PENSTOCK_CACHE:-/var/cache/penstock}
    test_user=postgres
else
    cache_folder=${PENSTOCK_CACHE:-$root_folder/.cache}
    test_user=$(id -un)
fi
servers_folder=$cache_folder/servers
debian_server=/usr/lib/postgresql/15

say()
{
    printf '%s\n' "$*"
}

# fail MESSAGE [ADVICE …]: one line of what went wrong, one line for each thing that can be done about it.
fail()
{
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    shift
    for advice in "$@"; do
        printf '    %s\n' "$advice" >&2
    done
    exit 1
}

# as_root COMMAND …: at once when root, else with sudo.
as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "needs root to run: $*" "Run this script as root, or install sudo and allow $(id -un) to use it."
    fi
}

# as_test_user COMMAND …: the command as the user that servers run as.
as_test_user()
{
    if [ "$(id -u)" = 0 ]; then
        runuser -u "$test_user" -- "$@"
    else
        "$@"
    fi
}
