#!/usr/bin/env bash
# Packs what scripts/release-build.sh has built.
#
#   scripts/release-package.sh BUILD OUT
#
# OUT receives, for each program and platform in BUILD, a .tar.gz and a list of its parts
# (.cdx.json); the program of the Mac by itself, which `bluerelay` updates itself with;
# SHA256SUMS; and, where they are asked for, the files of Homebrew and the signed manifest of
# updates. Equal input gives equal bytes, with one version of tar and gzip.
#   VERSION              of the release, such as 1.2.3
#   SOURCE_DATE_EPOCH    time of all files, in Unix seconds: that of the commit
#   RELEASE_URL          where the files will be: https://…, without a slash at its end
#   UPDATE_SIGNING_KEY   the private key of the manifest
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Only the program that signs gets the key: no compiler, and no tool.
signing_key=${UPDATE_SIGNING_KEY:-}
unset UPDATE_SIGNING_KEY

build=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
: "${VERSION:?a release has a version, such as 1.2.3}" "${SOURCE_DATE_EPOCH:?the time of the commit is missing}"
export SOURCE_DATE_EPOCH

say() { printf '   %s\n' "$*"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go -C tools build -buildvcs=false -o "$work/sbom" ./sbom
sqlite=$(go list -m -f '{{.Dir}}' github.com/mattn/go-sqlite3)/sqlite3-binding.h

# The files of an archive lie in a folder of its name; their modes, owners and times are the
# same whoever packs them.
pack() {
  local program=$1 platform=$2 name folder
  name=$(basename "$program")
  folder=${name}_${VERSION}_${platform/darwin-/macos_}
  folder=${folder/linux-/linux_}
  install -d -m 0755 "$work/$folder"
  install -m 0755 "$program" "$work/$folder/$name"
  install -m 0644 README.md CHANGELOG.md "$work/$folder/"
  tar --create --format=ustar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    -C "$work" "$folder" | gzip --no-name --best >"$out/$folder.tar.gz"
  "$work/sbom" "$name" "$VERSION" "$program" "$sqlite" >"$out/$folder.cdx.json"
}
for program in "$build"/*/*; do
  pack "$program" "$(basename "$(dirname "$program")")"
done
install -m 0755 "$build/darwin-universal/bluerelay" "$out/bluerelay-darwin-universal"

# checksum prints the SHA-256 of a file of the release.
checksum() { sha256sum "$out/$1" | cut -d' ' -f1; }

if [[ -n ${RELEASE_URL:-} ]]; then
  for template in scripts/homebrew/*.rb; do
    text=$(<"$template")
    text=${text//@VERSION@/$VERSION}
    text=${text//@URL@/$RELEASE_URL}
    text=${text//@HOMEPAGE@/${RELEASE_URL%/releases/*}}
    for archive in "$out"/*.tar.gz; do
      archive=$(basename "$archive")
      # @bluecloud_linux_arm64@ is the checksum of bluecloud_1.2.3_linux_arm64.tar.gz.
      mark=${archive%.tar.gz}
      text=${text//@${mark/_$VERSION/}@/$(checksum "$archive")}
    done
    if [[ $text =~ @[a-z_0-9]+@ ]]; then
      echo "release-package: $template needs ${BASH_REMATCH[0]}, which was not built" >&2
      exit 1
    fi
    printf '%s\n' "$text" >"$out/$(basename "$template")"
  done
else
  say "no RELEASE_URL: no files for Homebrew"
fi

if [[ -n $signing_key ]]; then
  go build -buildvcs=false -o "$work/sign" ./update/sign
  UPDATE_SIGNING_KEY=$signing_key "$work/sign" -version "$VERSION" -out "$out/manifest.json" \
    "darwin/universal=$out/bluerelay-darwin-universal"
else
  say "no UPDATE_SIGNING_KEY: no manifest, so no bluerelay updates itself to this release"
fi

(cd "$out" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
