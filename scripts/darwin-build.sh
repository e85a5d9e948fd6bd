#!/usr/bin/env bash
# Builds the two programs for macOS on a Linux machine, with cgo, and checks them.
#
#   scripts/darwin-build.sh [OUT [PACKAGE...]]
#
# OUT (default dist) receives darwin-ARCH/NAME, and darwin-universal/NAME where both kinds of
# Mac are built for. PACKAGE defaults to the two commands.
#   DARWIN_ARCHS   "arm64" (default), "amd64" or both
#   DARWIN_VET     "no" leaves go vet out
#   VERSION        of a release, such as 1.2.3; else the programs call themselves dev
#   UPDATE_PUBLIC_KEYS   whose signed manifests bluerelay updates itself by
#   UPDATE_SOURCE        where it gets them: https://…/manifest.json
#   ZIG            a zig program to use instead of the pinned one
#
# The C compiler and linker is zig (scripts/zig.sh). Apple's SDK is not needed:
# tools/darwinstub writes the few stub libraries from the Go tree in use. Nothing built here
# can be run here.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=${1:-dist}
shift || true
packages=("$@")
[[ $# -gt 0 ]] || packages=(./cmd/bluerelay ./cmd/bluecloud)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bluerelay
mkdir -p "$cache"

say() { printf '   %s\n' "$*"; }
die() { printf 'darwin-build: %s\n' "$*" >&2; exit 1; }

work=$(mktemp -d "$cache/darwin.XXXXXX")
trap 'rm -rf "$work"' EXIT

ZIG=$(scripts/zig.sh)
export ZIG ZIG_GLOBAL_CACHE_DIR=$cache/zig-cache ZIG_LOCAL_CACHE_DIR=$cache/zig-cache
say "zig $("$ZIG" version)"

# Compiler and stubs lie at fixed paths, the same for each checkout: the paths are part of what
# the go command hashes, and a new one would throw its cache away.
cc=$cache/zig-cc
cp scripts/zig-cc.sh "$work/zig-cc"
mv "$work/zig-cc" "$cc"
goroot=$(go env GOROOT)
stubs=$cache/stubs-$(go env GOVERSION)
go -C tools build -buildvcs=false -o "$work/" ./darwinstub ./darwincheck ./lipo ./machostrip
"$work/darwinstub" "$goroot" "$stubs"
headers=$cache/include
mkdir -p "$headers/mach"
cp scripts/darwin-include/mach/mach_vm.h "$work/mach_vm.h"
mv "$work/mach_vm.h" "$headers/mach/mach_vm.h"

# The version is in C too, in the Info.plist, so SQLite is compiled anew for each release.
version=${VERSION:-}
ldflags="-w -buildid=${version:+ -X main.version=$version}"
ldflags+="${UPDATE_PUBLIC_KEYS:+ -X bluerelay/update.publicKeys=$UPDATE_PUBLIC_KEYS}"
ldflags+="${UPDATE_SOURCE:+ -X bluerelay/update.source=$UPDATE_SOURCE}"

# For a small program: SQLite's own makers measure it with -Os, and nothing unwinds C on a Mac
# but the reporter of crashes; Go has tables of its own.
cflags="-Os -fno-unwind-tables -fno-asynchronous-unwind-tables"

archs=(${DARWIN_ARCHS:-arm64})
for arch in "${archs[@]}"; do
  case $arch in
    arm64) target=aarch64-macos.12.0 ;;
    amd64) target=x86_64-macos.12.0 ;;
    *) die "unknown architecture $arch in DARWIN_ARCHS, want arm64 or amd64" ;;
  esac
  for_mac=(env CGO_ENABLED=1 GOOS=darwin "GOARCH=$arch" "CC=\"$cc\" -target $target"
    "CGO_CFLAGS=$cflags -idirafter $headers${version:+ -DBLUERELAY_VERSION=$version}"
    "CGO_LDFLAGS=\"-L$stubs/usr/lib\" \"-F$stubs/Frameworks\"")

  start=$SECONDS
  mkdir -p "$out/darwin-$arch"
  # -w because Go would otherwise call strip, which knows no Mach-O here.
  programs=()
  for package in "${packages[@]}"; do
    program=$out/darwin-$arch/$(basename "$package")
    # The relay speaks HTTP/1.1, the server on the other side of its websocket too: HTTP/2
    # would be half a megabyte more in it for each kind of Mac. So would copies of small
    # functions in what is not ours and not Go's runtime: the relay waits, it does not compute.
    small=()
    [[ $program != */bluerelay ]] || small=(-tags nethttpomithttp2 "-gcflags=all=-l"
      "-gcflags=runtime/...=" "-gcflags=internal/runtime/...=" "-gcflags=internal/abi=" "-gcflags=bluerelay/...=")
    "${for_mac[@]}" go build -trimpath -buildvcs=false "${small[@]}" -ldflags="$ldflags" -o "$program" "$package"
    programs+=("$program")
  done
  "$work/machostrip" "${programs[@]}"
  say "$arch: built in $((SECONDS - start)) s"
  "$work/darwincheck" -version "${version:-0.0.0}" "$arch" "${programs[@]}"

  # For the first processor only: no file of ours is for one of them alone. With the build's
  # flags, so that vet finds the packages compiled already.
  [[ ${DARWIN_VET:-} != no && $arch == "${archs[0]}" ]] || continue
  start=$SECONDS
  "${for_mac[@]}" go vet -trimpath ./...
  say "$arch: go vet in $((SECONDS - start)) s"
done

[[ ${#archs[@]} -gt 1 ]] || exit 0
mkdir -p "$out/darwin-universal"
programs=()
for package in "${packages[@]}"; do
  name=$(basename "$package")
  "$work/lipo" "$out/darwin-universal/$name" "$out/darwin-arm64/$name" "$out/darwin-amd64/$name"
  programs+=("$out/darwin-universal/$name")
done
"$work/darwincheck" -version "${version:-0.0.0}" universal "${programs[@]}"
