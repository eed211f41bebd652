#!/usr/bin/env bash
# Fails if the generated code differs from what the .proto files give now. The compiler's own version, which stands in
# a comment, does not count.
set -euo pipefail
cd "$(dirname "$0")/.."

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
scripts/generate.sh "$fresh"
for dir in wirepb recordpb commandpb; do
	if ! diff -r -I '^//.*protoc  *v' "internal/pb/$dir" "$fresh/$dir"; then
		echo "internal/pb/$dir is out of date: run make generate" >&2
		exit 1
	fi
done
