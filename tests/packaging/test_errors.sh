#!/bin/bash
# test_errors.sh BUILD_FOLDER TOP: docs/errors.md is what the table of errors says, and `penstock help` answers with every number in it.
set -euo pipefail
build=$1 top=$2
failures=0
fail() { echo "NOT OK $*"; failures=$((failures + 1)); }

page=$build/packaging/papers/errors.md
diff "$page" "$top/docs/errors.md" || fail "docs/errors.md is not what the table says: cp $page docs/errors.md"
numbers=$(sed -n 's/^### PST-//p' "$page")
[ "$(wc -w <<<"$numbers")" -ge 100 ] || fail "numbers: $numbers"
for number in $numbers; do
    "$build/bin/penstock" help "PST-$number" | grep "^PST-$number  ." >/dev/null || fail "help PST-$number"
done
said=$("$build/bin/penstock" help PST-9999 2>&1) && fail "there is no PST-9999"
grep -q PST-1101 <<<"$said" || fail "an unknown number: $said"
exit $((failures > 0))
