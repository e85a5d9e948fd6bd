#!/usr/bin/env bash
# Makes a release of the commit that is checked out, on Linux.
#
#   scripts/release.sh VERSION [OUT]      VERSION such as v1.2.3; OUT is dist/release by default
#
# It builds twice, in two folders and with two empty caches, and goes on only where every byte
# is the same; then it packs twice, too. That takes a quarter of an hour on two idle cores.
# Nothing is published. The environment, all of it optional:
#   RELEASE_URL          where the files will be, for Homebrew: https://…/releases/download/v1.2.3
#   UPDATE_PUBLIC_KEYS   built into bluerelay: whose manifests it updates itself by
#   UPDATE_SOURCE        built into bluerelay: where it gets them, https://…/manifest.json
#   UPDATE_SIGNING_KEY   signs the manifest of this release (go run ./update/sign -new-key FILE)
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Nothing that builds needs the key, and nothing that is built with may see it.
signing_key=${UPDATE_SIGNING_KEY:-}
unset UPDATE_SIGNING_KEY

say() { printf '   %s\n' "$*"; }
die() { printf 'release: %s\n' "$*" >&2; exit 1; }

[[ ${1:-} =~ ^v?([0-9]+\.[0-9]+\.[0-9]+)$ ]] || die "say which version, such as: make release VERSION=v1.2.3"
export VERSION=${BASH_REMATCH[1]}
out=$(realpath -m "${2:-dist/release}")
[[ $(uname -s) == Linux ]] || die "releases are built on Linux, for both systems"
[[ -z $(git status --porcelain) ]] || die "there are changes that are not committed: a release is made of a commit"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
ZIG=$(scripts/zig.sh)
export SOURCE_DATE_EPOCH ZIG

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One path is short, the other long: whatever remembers where it was built
# is different.
for tree in a b/a-longer-path; do
  mkdir -p "$work/$tree/tree"
  git archive HEAD | tar -x -C "$work/$tree/tree"
  say "building $VERSION in $work/$tree"
  GOCACHE=$work/$tree/go XDG_CACHE_HOME=$work/$tree/cache \
    "$work/$tree/tree/scripts/release-build.sh" "$work/$tree/build"
done
diff -r "$work/a/build" "$work/b/a-longer-path/build" ||
  die "the two builds are not the same: nothing is released"

for tree in a b/a-longer-path; do
  UPDATE_SIGNING_KEY=$signing_key "$work/$tree/tree/scripts/release-package.sh" "$work/$tree/build" "$work/$tree/package"
done
diff -r "$work/a/package" "$work/b/a-longer-path/package" ||
  die "the two packages are not the same: nothing is released"

rm -rf "$out"
mkdir -p "$(dirname "$out")"
mv "$work/a/package" "$out"
say "built and packed twice, the same each time: $out"
cat "$out/SHA256SUMS"
