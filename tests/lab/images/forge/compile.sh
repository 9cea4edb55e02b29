#!/bin/bash
# compile.sh VERSION FILE: compiles Gitea from its Go module to FILE, and puts the module's own folders of templates and
# locales beside it, in FILE.files. Without SQLite, so that no C compiler is needed: the lab has PostgreSQL.
# Go's settings (GOPROXY, caches, GOTOOLCHAIN) come by environment. The web assets are not built; nothing here needs them.
set -euo pipefail

version=$1 file=$2
module=code.gitea.io/gitea

# Outside any module, so that no go.mod near by has a say.
cd /
source=$(go mod download -json "$module@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
[ -n "$source" ] || {
  echo "go mod download $module@v$version brought nothing" >&2
  exit 1
}
cd "$source"
CGO_ENABLED=0 nice -n 10 go build -trimpath -buildvcs=false -o "$file.new" -ldflags "-s -w -X main.Version=$version" .
rm -rf "$file.files" && mkdir "$file.files"
cp -r options templates public "$file.files/"
chmod -R u+w "$file.files"
mv "$file.new" "$file"
