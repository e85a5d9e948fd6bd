#!/bin/sh
# Runs zig, whose path is in $ZIG, as the C compiler of the go command, keeping it from
# writing where a compiler has no business to. scripts/darwin-build.sh installs it.
#
# zig puts its output in place by a rename, so as root "-o /dev/null" would replace the
# device by a file; and without -o it leaves an empty object file in the working directory,
# which for cgo's preprocessor runs is a source folder, often one that is read-only.
set -eu

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

preprocess='' output='' previous=''
for argument in "$@"; do
  shift
  case $argument in
    -E) preprocess=yes ;;
    -o) output=yes ;;
    /dev/*) [ "$previous" != -o ] || argument=$scratch/device ;;
  esac
  previous=$argument
  set -- "$@" "$argument"
done

if [ -n "$preprocess" ] && [ -z "$output" ]; then
  "$ZIG" cc "$@" -o "$scratch/preprocessed"
  cat "$scratch/preprocessed"
else
  "$ZIG" cc "$@"
fi
