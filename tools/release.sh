#!/usr/bin/env bash
# Builds what a release consists of, into bin/release: an archive for each platform
# with the program, its documents and a list of its parts (CycloneDX), and the
# checksums of all. The same commit gives the same bytes: no build time, no user,
# no path of the machine is in them. make release calls it.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(git describe --tags --always --dirty)
out=bin/release
rm -rf "$out"
mkdir -p "$out"
for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do
	name=orderwalk_${version}_${platform/\//_}
	if [ -t 1 ]; then echo "— $name"; fi
	mkdir "$out/$name"
	CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} go build -trimpath -ldflags '-s -w' -o "$out/$name/orderwalk" .
	"$SBOM" bin -json -std -noserial -notimestamp -output "$out/$name/sbom.cdx.json" "$out/$name/orderwalk"
	cp README.md CHANGELOG.md LICENSE NOTICE "$out/$name/"
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$EPOCH" --format=ustar -C "$out" -c "$name" | gzip -n >"$out/$name.tar.gz"
	rm -r "${out:?}/$name"
done
(cd "$out" && sha256sum -- *.tar.gz >SHA256SUMS)
echo "$out: $(wc -l <"$out/SHA256SUMS") archives of $version, their sums in SHA256SUMS"
cat <<'END'
Not for go get: the module is called orderwalk, a path that no server answers for.
Before anything can import it, change the module path in go.mod to that of its repository.
END
