#!/bin/sh
# Builds a fairway with the middleware of the folder greeting. The sources stay as they are: the compiler
# is told of the folder as if it were in middlewares/, and of the catalog with one more field.
#
#   ./build.sh PROGRAM
set -eu
program=$(realpath "${1:-fairway}")
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

catalog=config/dynamic/dynamic.go
sed -e 's|^	"fairway/middlewares/grpcweb"|	"fairway/middlewares/greeting"\n&|' \
    -e 's|^	GRPCWeb  *\*grpcweb|	Greeting *greeting.Config `json:"greeting,omitempty"`\n&|' "$catalog" > "$work/dynamic.go"
cat > "$work/overlay.json" <<END
{"Replace": {
  "$PWD/$catalog": "$work/dynamic.go",
  "$PWD/middlewares/greeting/greeting.go": "$here/greeting/greeting.go"
}}
END
CGO_ENABLED=0 go build -trimpath -overlay "$work/overlay.json" -o "$program" ./cmd/fairway
