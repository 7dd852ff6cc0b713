#!/bin/sh
# What the documentation lists is what there is: each library that the build looks for is among the packages of docs/build.md and
# README.md, and each check of penstock check has its line in docs/check.md.
#
#   test_docs.sh FOLDER-OF-THE-SOURCES
set -eu
cd "$1"
missing=0
miss() { echo "$1 is not in $2"; missing=1; }
for library in $(sed -n 's/^pkg_check_modules([A-Z_]* REQUIRED \(IMPORTED_TARGET \)\{0,1\}\([a-z-]*\))$/\2/p
    s/^find_library([A-Z_]* \([a-z_]*\) REQUIRED)$/\1/p' CMakeLists.txt | tr _ -); do
    for page in docs/build.md README.md; do
        grep -q "apt-get install .*${library#lib}[0-9]*-dev" "$page" || miss "the package of $library" "$page"
    done
done
for id in $(sed -n 's/^ *{\.id = "\([a-z0-9-]*\)".*/\1/p' control/check/rows_*.c) \
    $(tr '\n' ' ' <control/switch/preflight.c | grep -o '{\.id = "[a-z-]*",[^{}]*\.early = EARLY' | sed 's/{\.id = "\([a-z-]*\)".*/\1/'); do
    grep -q "^| \`$id\` |" docs/check.md || miss "check $id" docs/check.md
done
[ "$missing" -eq 0 ] && echo "all there"
