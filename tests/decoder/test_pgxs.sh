#!/bin/sh
# test_pgxs.sh SOURCE_FOLDER PG_CONFIG PLUGIN: the plugin built with PostgreSQL's own make files asks of the server what the one
# that CMake built does, and nothing is missing in it.
set -eu
source=$1 pg_config=$2 plugin=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for part in decoder proto common CMakeLists.txt; do
    cp -R "$source/$part" "$folder/"
done
make -C "$folder/decoder" -j2 PG_CONFIG="$pg_config" with_llvm=no >"$folder/log" 2>&1 || { tail -n 40 "$folder/log"; exit 1; }

# What must be found elsewhere, but for the C library and zstd, which the other one has inside.
asked_of_server()
{
    nm -D --undefined-only "$1" | sed 's/.* //' | grep -v -e @ -e '^ZSTD_' -e '^_ITM' -e '^__gmon' -e '^__' | sort
}

asked_of_server "$folder/decoder/penstock.so" >"$folder/pgxs"
asked_of_server "$plugin" >"$folder/cmake"
diff "$folder/cmake" "$folder/pgxs"
nm -D --defined-only "$folder/decoder/penstock.so" | grep -q _PG_output_plugin_init
