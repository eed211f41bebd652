#!/usr/bin/env bash
# Makes sure that everything Haiku needs to build and test is on this machine. Quick when it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

need_go=$(awk '$1 == "go" { print $2 }' go.mod)

fail() {
	echo "deps: $*" >&2
	exit 1
}

command -v go >/dev/null || fail "Go $need_go or newer is needed: https://go.dev/dl/"
have_go=$(go env GOVERSION 2>/dev/null | sed 's/^go//; s/[^0-9.].*//') || true
if [ "$(printf '%s\n' "$need_go" "${have_go:-0}" | sort -V | head -n1)" != "$need_go" ]; then
	fail "Go $need_go or newer is needed, this is $(GOTOOLCHAIN=local go version 2>/dev/null || echo 'another one'): https://go.dev/dl/"
fi

# One package a line. The library has to match the binding (grocksdb v1.7.14 is written for RocksDB 7.8).
packages=(gcc g++ libc6-dev librocksdb-dev libsnappy-dev liblz4-dev libzstd-dev zlib1g-dev protobuf-compiler)

if command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; then
	missing=()
	for p in "${packages[@]}"; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)
		[ "$status" = installed ] || missing+=("$p")
	done
	if [ ${#missing[@]} -gt 0 ]; then
		sudo=()
		if [ "$(id -u)" != 0 ]; then
			command -v sudo >/dev/null || fail "these packages are missing and need root to install: ${missing[*]}"
			sudo=(sudo)
		fi
		echo "deps: installing ${missing[*]}" >&2
		"${sudo[@]}" apt-get update -qq
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
	fi
	version=$(dpkg-query -W -f '${Version}' librocksdb-dev)
	case "$version" in
	7.8.*) ;;
	*) fail "librocksdb-dev is $version, but 7.8.x is needed (Debian 12 has 7.8.3)" ;;
	esac
	exit 0
fi

# Another system: compile one line against each library and say what is missing.
command -v cc >/dev/null || fail "a C and C++ compiler is needed"
probe='#include <rocksdb/version.h>
#if ROCKSDB_MAJOR != 7 || ROCKSDB_MINOR != 8
#error version
#endif
int main() { return 0; }'
if ! printf '%s\n' "$probe" | c++ -x c++ - -o /dev/null -lrocksdb -lzstd -llz4 -lz -lsnappy 2>/dev/null; then
	fail "this is no Debian, so please install, with their headers: RocksDB 7.8 (7.8.3 is tested; other releases do not match the binding), Snappy 1.1, LZ4 1.9, Zstandard 1.5, zlib 1.2 or newer each"
fi
command -v protoc >/dev/null || fail "protoc (the protobuf compiler) 3.21 is needed to check the generated code"
