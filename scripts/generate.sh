#!/usr/bin/env bash
# Writes the Go code of internal/pb/*.proto into the folder given (internal/pb if none).
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/bin/tools
out=${1:-$PWD/internal/pb}
mkdir -p "$tools"
go build -o "$tools/" google.golang.org/protobuf/cmd/protoc-gen-go github.com/planetscale/vtprotobuf/cmd/protoc-gen-go-vtproto

cd internal/pb
for p in wire record command; do
	mkdir -p "$out/${p}pb"
	protoc --plugin="$tools/protoc-gen-go" --plugin="$tools/protoc-gen-go-vtproto" \
		--go_out="$out/${p}pb" --go_opt=paths=source_relative \
		--go-vtproto_out="$out/${p}pb" --go-vtproto_opt=paths=source_relative,features=marshal+unmarshal+size \
		"$p.proto"
done
