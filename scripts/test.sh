#!/usr/bin/env bash
# Every check of the project, one step after the other; the first that fails ends the run.
#
#   scripts/test.sh [STEP...]      default: all, in the order of the list below
#
# The tests come last, so that their summary is the end of the output. Nothing is written to
# the work tree, except a fuzzer's finding.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

all=(tools format scripts vet fix lint checkers darwin fuzz torture postgres tests)
steps=("$@")
[[ $# -gt 0 ]] || steps=("${all[@]}")

# A checkout that belongs to another user, as in a container, would make the go command fail
# when it asks git for the version.
GOFLAGS="$(go env GOFLAGS) -buildvcs=false"
export GOFLAGS

# fail_on_output is for tools that report on stdout and exit 0.
fail_on_output() {
  local output
  output=$("$@") || { printf '%s\n' "$output"; return 1; }
  [[ -z $output ]] || { printf '%s\n' "$output"; return 1; }
}

# What the tests need beside Go and gcc.
step_tools() { scripts/install-test-tools.sh; }

step_format() { fail_on_output "$(go env GOROOT)/bin/gofmt" -l .; }

step_scripts() {
  local script
  while IFS= read -r -d '' script; do
    bash -n "$script" || return
  done < <(find . \( -name .git -o -name node_modules \) -prune -o \
    \( -name '*.sh' -o -path './.ci/*' \) -type f -print0)
}

step_vet() { go vet ./... && go -C tools vet ./...; }

step_fix() { fail_on_output go fix -diff ./... && fail_on_output go -C tools fix -diff ./...; }

step_lint() { go tool -modfile=tools/go.mod staticcheck ./... && (cd tools && go tool staticcheck ./...); }

# The tests of the programs in tools, a module of its own.
step_checkers() { go -C tools test ./...; }

# Both programs for both kinds of Mac, and the release with them. A subshell, so that its trap
# clears up after a failure too.
step_darwin() (
  if [[ $(uname -s) == Darwin ]]; then
    echo "   this is macOS: the other steps build and vet for it, no cross build"
    exit 0
  fi
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
  DARWIN_ARCHS="arm64 amd64" scripts/darwin-build.sh "$out/build"
  same_elsewhere "$out"
  packed "$out"
)

# same_elsewhere builds one of the programs again, in another folder and with empty caches.
# `make release` does that with all of them.
same_elsewhere() {
  local out=$1 zig
  zig=$(scripts/zig.sh)
  mkdir "$out/tree"
  tar --create --exclude=./.git --exclude=./bin --exclude=./dist . | tar --extract -C "$out/tree"
  GOCACHE=$out/go XDG_CACHE_HOME=$out/cache ZIG=$zig DARWIN_VET=no \
    "$out/tree/scripts/darwin-build.sh" "$out/again" ./cmd/bluerelay
  cmp "$out/build/darwin-arm64/bluerelay" "$out/again/darwin-arm64/bluerelay"
  echo "   arm64: the same bytes from another folder"
}

# packed packs a release twice, with the programs for the Mac that were built. What stands for
# those of Linux is a small program: here it is packed, not run.
packed() {
  local out=$1 key turn arch
  rm -r "$out/build/darwin-arm64" "$out/build/darwin-amd64"
  go build -o "$out/sign" ./update/sign
  for arch in amd64 arm64; do
    install -D "$out/sign" "$out/build/linux-$arch/bluecloud"
  done
  "$out/sign" -new-key "$out/key" >/dev/null
  key=$(<"$out/key")
  mkdir "$out/bin"
  printf '#!/bin/sh\n[ -z "$UPDATE_SIGNING_KEY" ] || { echo "go sees the key that signs" >&2; exit 1; }\nexec "%s" "$@"\n' "$(command -v go)" >"$out/bin/go"
  chmod +x "$out/bin/go"
  for turn in first second; do
    VERSION=0.0.0 SOURCE_DATE_EPOCH=1700000000 RELEASE_URL=https://example.com/releases/download/v0.0.0 \
      PATH=$out/bin:$PATH UPDATE_SIGNING_KEY=$key scripts/release-package.sh "$out/build" "$out/$turn"
  done
  diff -r "$out/first" "$out/second"
  (cd "$out/first" && sha256sum --check --strict --quiet SHA256SUMS)
  echo "   packed twice, the same: $(cd "$out/first" && echo *)"
}

step_fuzz() { scripts/fuzz.sh; }

# The short form of `make torture`: all of it for a minute, and three rules broken on
# purpose, which the harness must notice. TORTURE_SEED chooses another course.
step_torture() {
  go run ./torture -seed "${TORTURE_SEED:-1}" -duration 60s -round 30s &&
    go run ./torture -seed "${TORTURE_SEED:-1}" -broken killed-repeated,journal-forgets,success-believed
}

# The packages that keep something in the database once more, on a PostgreSQL server that
# each starts for itself. The tests step runs them on SQLite.
step_postgres() { TEST_ENGINE=postgres go test -vet=off -race -shuffle=on -timeout 20m ./cloud/...; }

# Without the vet that go test would make anew for this kind of build: the step vet has looked
# at everything, with more checks.
step_tests() { go test -vet=off -race -shuffle=on -timeout 20m ./...; }

for step in "${steps[@]}"; do
  [[ " ${all[*]} " == *" $step "* ]] || { echo "test: no step $step, there are: ${all[*]}" >&2; exit 2; }
done

trap '[[ $? -eq 0 ]] || printf "\ntest: step %s failed\n" "$step" >&2' EXIT
summary=()
for step in "${steps[@]}"; do
  printf '\n== %s\n' "$step"
  start=$SECONDS
  # Not in an if or ||: bash would stop heeding errors inside the step.
  "step_$step"
  printf '   %s: %d s\n' "$step" $((SECONDS - start))
  summary+=("$step $((SECONDS - start))")
done
printf '\nall passed in %d s (%s)\n' "$SECONDS" "${summary[*]}"
