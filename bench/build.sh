#!/usr/bin/env bash
# Installs the other task queues (Debian packages, and two servers built from source) and builds the harness into bin/.
set -euo pipefail
cd "$(dirname "$0")"

nats=v2.15.2
packages=(rabbitmq-server redis-server beanstalkd postgresql-15)

fail() {
	echo "bench: $*" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || fail "root is needed: PostgreSQL is started as a user of its own"
command -v apt-get >/dev/null || fail "this is no Debian, whose packages are measured: ${packages[*]}"
missing=()
for p in "${packages[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)
	[ "$status" = installed ] || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
	apt-get update -qq
	# The packages start their services, which would only be in the way: an exit code of 101 forbids it.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
		trap 'rm -f "$policy"' EXIT
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

mkdir -p bin
if [ "$(bin/nats-server --version 2>/dev/null || true)" != "nats-server: $nats" ]; then
	GOBIN="$PWD/bin" go install "github.com/nats-io/nats-server/v2@$nats"
fi
go build -o bin/etcd go.etcd.io/etcd/server/v3 # a tool of go.mod: its replace directives rule out go install
go build -o bin/peers ./peers
