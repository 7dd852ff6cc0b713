#!/bin/bash
# test_packages.sh BUILD_FOLDER: makes the packages, installs them with dpkg into a root of their own, uses what is there, removes
# them, and looks that nothing is left.
set -euo pipefail
build=$1
[ "$(id -u)" = 0 ] || { echo "dpkg installs as root only"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
: >"$root/var/lib/dpkg/status"
(cd "$build" && cpack -G DEB -B "$folder/packages") >"$folder/cpack.log" 2>&1 || { cat "$folder/cpack.log"; exit 1; }

failures=0
fail() { echo "NOT OK $*"; failures=$((failures + 1)); }

in_root() { dpkg --root="$root" --log=/dev/null --force-depends "$@" >>"$folder/dpkg.log" 2>&1; }

# What dpkg itself keeps is not ours.
files() { (cd "$root" && find . -path ./var/lib/dpkg -prune -o -type f -print | sort); }

in_root -i "$folder"/packages/penstock_*.deb "$folder"/packages/penstock-plugin-11_*.deb || { cat "$folder/dpkg.log"; exit 1; }
for file in usr/bin/penstock usr/bin/penstock-applier usr/lib/postgresql/11/lib/penstock.so \
    usr/lib/systemd/system/penstock-follow@.service usr/share/man/man1/penstock-cutover.1 \
    usr/share/bash-completion/completions/penstock usr/share/zsh/vendor-completions/_penstock; do
    [ -s "$root/$file" ] || fail "$file is not there"
done

# Programs: from the packages, not from the build.
version=$("$root/usr/bin/penstock" version)
[ "$version" = "$("$root/usr/bin/penstock" --version)" ] || fail "version: $version"
[ "penstock-applier ${version#penstock }" = "$("$root/usr/bin/penstock-applier" --version)" ] || fail "the applier's version"
"$root/usr/bin/penstock" help cutover | grep -- --hold-limit >/dev/null || fail "help cutover"
"$root/usr/bin/penstock" help | grep "order of a migration" >/dev/null || fail "help"
readelf -d "$root/usr/bin/penstock" | grep -iE "rpath|runpath" >/dev/null && fail "the program looks for libraries in the build's folders"
dpkg-deb -f "$folder"/packages/penstock_*.deb Depends | grep libpq5 >/dev/null || fail "libpq5 is not among the packages it needs"

in_root -r penstock penstock-plugin-11 || { cat "$folder/dpkg.log"; exit 1; }
left=$(files)
[ -z "$left" ] || fail "left behind: $left"
exit $((failures > 0))
