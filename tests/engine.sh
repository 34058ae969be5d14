#!/usr/bin/env bash
# A container engine for the tests, with a base image: `engine.sh up` starts it and prints its variables, `engine.sh down` removes it.
# It needs root on Debian: the engine and debootstrap are Debian's packages, and the base is made from packages, not from an image registry.
# Its state is in build/engine, so that the engines of two checkouts do not meet.
set -euo pipefail
room="$(cd "$(dirname "$0")/.." && pwd)/build/engine"
socket="$room/engine.sock"
base=crossload-test/base:1

up() {
    mkdir -p "$room"
    if ! { command -v dockerd && command -v docker-compose && command -v debootstrap && command -v bwrap; } >/dev/null; then
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
            docker.io docker-compose debootstrap bubblewrap; } >"$room/install.log" 2>&1 || { tail -5 "$room/install.log" >&2; exit 1; }
    fi
    if ! [ -S "$socket" ] || ! kill -0 "$(cat "$room/pid" 2>/dev/null)" 2>/dev/null; then
        rm -f "$socket" "$room/pid"
        # No bridge and no rules: containers have no network, and builds use the host's. A namespace of its own in a containerd that is shared.
        setsid dockerd --containerd-namespace "crossload-$(cksum <<<"$room" | cut -d' ' -f1)" --iptables=false --ip6tables=false --bridge=none --data-root "$room/data" --exec-root "$room/exec" \
            --pidfile "$room/pid" --host "unix://$socket" >"$room/log" 2>&1 </dev/null &
        for _ in $(seq 600); do [ -S "$socket" ] && curl -sf --unix-socket "$socket" http://engine/_ping >/dev/null && break; sleep 0.1; done
    fi
    curl -sf --unix-socket "$socket" http://engine/_ping >/dev/null || { tail -5 "$room/log" >&2; exit 1; }
    if ! curl -sf --unix-socket "$socket" "http://engine/images/$base/json" >/dev/null; then
        rm -rf "$room/root"
        debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates,openjdk-17-jre-headless \
            "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$room/root" >"$room/base.log" 2>&1 || { tail -5 "$room/base.log" >&2; exit 1; }
        rm -rf "$room/root/var/cache/apt/archives"
        cp /etc/ssl/certs/ca-certificates.crt "$room/root/etc/ssl/certs/" # a builder's own certificate authority
        tar -C "$room/root" -c . | curl -sf --unix-socket "$socket" -T - -X POST "http://engine/images/create?fromSrc=-&repo=${base%:*}&tag=${base#*:}" >/dev/null
        rm -rf "$room/root"
    fi
    echo "DOCKER_HOST=unix://$socket"
    echo "CROSSLOAD_TEST_BASE=$base"
}

down() {
    [ -f "$room/pid" ] && kill "$(cat "$room/pid")" 2>/dev/null && while kill -0 "$(cat "$room/pid" 2>/dev/null)" 2>/dev/null; do sleep 0.1; done
    umount "$room"/exec/netns/* "$room"/data/overlay2/*/merged 2>/dev/null || true
    rm -rf "$room"
}

"$1"
