#!/bin/bash
# test_papers.sh BUILD_FOLDER: every command and every option of --help stands in its manual page and is completed by bash.
set -euo pipefail
build=$1 papers=$1/packaging/papers
failures=0
fail() { echo "NOT OK $*"; failures=$((failures + 1)); }

# (grep reads to the end, without -q: who writes to a pipe that nobody reads any more has failed.)
# What bash offers for the words of a command line; the last one is being typed.
offered()
{
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    compopt() { :; } # there is no line being edited
    _penstock "$1" || true
    printf '%s\n' "${COMPREPLY[@]}"
}

# shellcheck source=/dev/null
. "$papers/penstock.bash"
commands=$("$build/bin/penstock" | sed -n 's/^  \([a-z]*\)  .*/\1/p')
[ "$(wc -w <<<"$commands")" -ge 10 ] || fail "commands: $commands"
for command in $commands; do
    grep -qF "$command" "$papers/penstock.1" || fail "penstock(1) does not name $command"
    offered penstock "$command" | grep -x "$command" >/dev/null || fail "bash does not offer $command"
    grep -q "^        '$command:" "$papers/_penstock" || fail "zsh does not offer $command"
    for option in $("$build/bin/penstock" "$command" --help | grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE '[a-z-]+$'); do
        option=${option#--}
        case $option in help | usage | version) continue ;; esac
        page=$(sed 's/\\-/-/g' "$papers/penstock-$command.1")
        grep -qF -- "--$option" <<<"$page" || fail "penstock-$command(1) does not have --$option"
        offered penstock "$command" "--$option" | grep -E "^--$option=?$" >/dev/null || fail "bash does not offer $command --$option"
    done
done
for option in $("$build/bin/penstock-applier" --help | grep -oE -- '--[a-z-]+' | sort -u); do
    offered penstock-applier "$option" | grep -E "^$option=?$" >/dev/null || [ "$option" = --usage ] || fail "bash does not offer $option"
done
if command -v man >/dev/null; then
    for page in "$papers"/*.1; do
        said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null) || true
        [ -z "$said" ] || fail "$(basename "$page"): $said"
    done
fi
exit $((failures > 0))
