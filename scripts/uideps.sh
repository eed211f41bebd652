#!/usr/bin/env bash
# Makes sure that what builds the dashboard is there: Node and, in web/ui/node_modules, what package-lock.json names. With
# "browser" also Chromium, for the browser tests.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
	echo "uideps: $*" >&2
	exit 1
}

have=$(node --version 2>/dev/null | sed 's/^v//; s/\..*//') || true
[ "${have:-0}" -ge 20 ] || fail "Node 20 or newer with npm is needed: https://nodejs.org/"
command -v npm >/dev/null || fail "npm is needed; it comes with Node"

lock=$(sha256sum web/ui/package-lock.json | cut -d' ' -f1)
if [ "$(cat web/ui/node_modules/.haiku-lock 2>/dev/null || true)" != "$lock" ]; then
	(cd web/ui && npm ci --silent --ignore-scripts)
	echo "$lock" >web/ui/node_modules/.haiku-lock
fi

if [ "${1:-}" = browser ] && ! command -v chromium >/dev/null; then
	command -v apt-get >/dev/null || fail "chromium is needed in PATH"
	sudo=()
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || fail "chromium is missing and needs root to install"
		sudo=(sudo)
	fi
	echo "uideps: installing chromium" >&2
	"${sudo[@]}" apt-get update -qq
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
fi
