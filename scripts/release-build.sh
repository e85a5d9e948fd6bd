#!/usr/bin/env bash
# Builds the programs of a release from this tree, on Linux.
#
#   scripts/release-build.sh OUT
#
# OUT receives darwin-universal/{bluerelay,bluecloud}, linux-amd64/bluecloud and
# linux-arm64/bluecloud. Equal trees give equal bytes, wherever and whenever they are built:
# scripts/release.sh builds twice and compares.
#   VERSION              of the release, such as 1.2.3
#   UPDATE_PUBLIC_KEYS   whose signed manifests bluerelay updates itself by
#   UPDATE_SOURCE        where it gets them: https://…/manifest.json
#   XDG_CACHE_HOME       for the C compiler's caches
#   ZIG                  a zig program to use instead of the pinned one
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$1
: "${VERSION:?a release has a version, such as 1.2.3}"
export VERSION
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bluerelay
mkdir -p "$out" "$cache"

ZIG=$(scripts/zig.sh)
export ZIG ZIG_GLOBAL_CACHE_DIR=$cache/zig-cache ZIG_LOCAL_CACHE_DIR=$cache/zig-cache

DARWIN_ARCHS="arm64 amd64" DARWIN_VET=no scripts/darwin-build.sh "$out"
rm -r "$out/darwin-arm64" "$out/darwin-amd64"

# An old glibc, so that they run on any Linux of the last years: 2.31 is that of Debian 11.
cc=$cache/zig-cc
for arch in amd64 arm64; do
  case $arch in
    amd64) target=x86_64-linux-gnu.2.31 ;;
    arm64) target=aarch64-linux-gnu.2.31 ;;
  esac
  start=$SECONDS
  # Go would hand -g to the linker, which to zig means: keep what -s is to take away.
  env CGO_ENABLED=1 GOOS=linux "GOARCH=$arch" "CC=\"$cc\" -target $target" CGO_CFLAGS=-O2 CGO_LDFLAGS=-s \
    go build -trimpath -buildvcs=false -ldflags="-s -w -buildid= -X main.version=$VERSION" -o "$out/linux-$arch/bluecloud" ./cmd/bluecloud
  printf '   linux %s: built in %d s\n' "$arch" $((SECONDS - start))
done
