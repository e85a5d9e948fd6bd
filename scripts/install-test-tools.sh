#!/usr/bin/env bash
# Sees to it that the programs which the tests start beside Go are there: Node and Python with
# requests run the examples of the API pages, curl their curl lines, npm fetches the compiler
# of the macOS build, gcc compiles SQLite, strace records what goes to the disk, PostgreSQL's
# server is started by the tests of what is stored, which run on both databases.
#
# On Debian it installs what is missing, with sudo where it is not root. On other systems it
# names what to install and exits 1. It does nothing, silently, where all is there.
set -euo pipefail

die() { printf 'install-test-tools: %s\n' "$*" >&2; exit 1; }

# has_requests looks where the tests look: $PYTHON, else the first python3 on the path, else
# the system's own, which is the only one that sees Debian's packages.
has_requests() {
  local python
  for python in ${PYTHON:-python3 /usr/bin/python3}; do
    "$python" -c 'import requests' 2>/dev/null && return
  done
  return 1
}

# has_postgres looks where the tests look: beside the path on Debian and with Homebrew.
has_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
    compgen -G '/opt/homebrew/opt/postgresql*/bin/initdb' >/dev/null ||
    compgen -G '/usr/local/opt/postgresql*/bin/initdb' >/dev/null ||
    command -v initdb >/dev/null
}

missing=()
need() { command -v "$1" >/dev/null || missing+=("${@:2}"); }
need make make
need gcc gcc libc6-dev
need curl curl
need node nodejs
# Only Linux has it: what is written to the disk, for the tests of power loss.
[[ $(uname -s) != Linux ]] || need strace strace
# Only the cross build asks for npm, and a Mac builds for itself.
[[ $(uname -s) == Darwin || -n ${ZIG:-} ]] || need npm npm
has_requests || missing+=(python3-requests)
has_postgres || missing+=(postgresql)

[[ ${#missing[@]} -gt 0 ]] || exit 0

if [[ $(uname -s) == Darwin ]]; then
  die "missing: ${missing[*]}
  xcode-select --install              make, gcc, curl, python3
  brew install node                   nodejs
  brew install postgresql@17          postgresql
  python3 -m pip install requests     python3-requests (another Python: set PYTHON)"
fi
command -v apt-get >/dev/null ||
  die "missing (Debian's names): ${missing[*]}; install them with this system's package manager"
# A Python of the caller's choice does not see what apt installs.
if [[ -n ${PYTHON:-} && " ${missing[*]} " == *' python3-requests '* ]]; then
  die "$PYTHON cannot import requests: run '$PYTHON -m pip install requests', or unset PYTHON"
fi

root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null || die "run as root: apt-get install ${missing[*]}"
  root=(sudo)
fi
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=5 "$@"; }

printf 'install-test-tools: apt-get install %s\n' "${missing[*]}"
apt update >/dev/null
apt install --no-install-recommends "${missing[@]}"
