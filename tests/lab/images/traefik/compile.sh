#!/bin/bash
# compile.sh VERSION FILE: compiles Traefik from its Go module to FILE. Go's settings (GOPROXY, caches) come by environment.
# Built in the module's own folder, because `go install MODULE@VERSION` refuses a module with replace directives. The web
# interface of Traefik is not built; nothing needs it.
set -euo pipefail

version=$1 file=$2
module=github.com/traefik/traefik/v3

# Outside any module, so that no go.mod near by has a say.
cd /
source=$(go mod download -json "$module@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
[ -n "$source" ] || {
  echo "go mod download $module@v$version brought nothing" >&2
  exit 1
}
cd "$source"
CGO_ENABLED=0 nice -n 10 go build -trimpath -buildvcs=false -o "$file.new" \
  -ldflags "-s -w -X $module/pkg/version.Version=$version" ./cmd/traefik
mv "$file.new" "$file"
