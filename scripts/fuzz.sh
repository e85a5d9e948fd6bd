#!/usr/bin/env bash
# Runs every fuzz target of the module for a short while.
#
#   scripts/fuzz.sh [PACKAGE...]      default ./...
#   FUZZTIME                          time for each target, default 10s
#
# A finding stays in the package's testdata/fuzz: it is the test case to fix and to keep.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ $# -gt 0 ]] || set -- ./...
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# -list prints the names of a package's targets and then its "ok" line.
targets=$(go test -vet=off -list '^Fuzz' "$@" | awk '
  /^Fuzz/     { names[++n] = $1 }
  $1 == "ok"  { for (i = 1; i <= n; i++) print $2, names[i] }
  !/^Fuzz/    { n = 0 }')
[[ -n $targets ]] || { echo "   no fuzz target"; exit 0; }

while read -r package target; do
  printf '   %s %s\n' "$package" "$target"
  if go test -vet=off -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" -fuzzminimizetime 5s "$package" \
    </dev/null >"$log" 2>&1; then
    tail -n 3 "$log" | sed 's/^/     /'
    continue
  fi
  # Before Go 1.27 the engine may report its own deadline as a failure (go.dev/issue/75804).
  # The time was spent and nothing was found: a finding would have been written down.
  if grep -q '^    context deadline exceeded$' "$log" && ! grep -qE 'Failing input written|^panic:' "$log"; then
    echo "     time over, nothing found"
    continue
  fi
  cat "$log"
  exit 1
done <<<"$targets"
