#!/bin/sh
# Fetches the libraries of the dashboard's page from npm, in the versions below, and writes
# down their licences. Nothing else is needed to build fairway: what this writes is committed.
set -eu
cd "$(dirname "$0")/ui/lib"
PREACT=10.27.2
HTM=3.1.1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

fetch() { # package, version
  (cd "$tmp" && npm pack --silent "$1@$2" >/dev/null && mkdir "$1" && tar xzf "$1-$2.tgz" -C "$1" --strip-components=1)
}
fetch preact "$PREACT"
fetch htm "$HTM"

# Browsers resolve only paths; source maps are not served.
plain() { sed -e 's#from *"preact"#from "./preact.js"#g' -e '/^\/\/# sourceMappingURL/d' "$1"; }
plain "$tmp/preact/dist/preact.module.js" >preact.js
plain "$tmp/preact/hooks/dist/hooks.module.js" >hooks.js
plain "$tmp/htm/dist/htm.module.js" >htm.js
cp "$tmp/preact/LICENSE" LICENSE.preact
cp "$tmp/htm/LICENSE" LICENSE.htm
cat >README.md <<EOF
Libraries of the dashboard's page, as npm has them, fetched by dashboard/vendor.sh.

| file | package | version | licence |
|---|---|---|---|
| preact.js, hooks.js | preact | $PREACT | MIT |
| htm.js | htm | $HTM | Apache-2.0 |
EOF
