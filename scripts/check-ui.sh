#!/usr/bin/env bash
# Fails if the dashboard's TypeScript has errors of types, or if web/ui/dist is not what the sources give now.
set -euo pipefail
cd "$(dirname "$0")/.."

if grep -n '"resolved"' web/ui/package-lock.json; then
	echo "web/ui/package-lock.json names a registry: npm reads web/ui/.npmrc, which says not to" >&2
	exit 1
fi
cd web/ui
node_modules/.bin/tsc --noEmit
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
node build.mjs "$fresh"
if ! diff -rq dist "$fresh"; then
	echo "web/ui/dist is out of date: run make ui" >&2
	exit 1
fi
