#!/usr/bin/env bash
# A container engine for the tests, with a base image: `engine.sh up` starts it and prints its variables, `engine.sh down` removes it.
# It needs root on Debian: the engine and debootstrap are Debian's packages, and the base is made from packages, not from an image registry.
# Its state is in build/engine, so that the engines of two checkouts do not meet.
# Where the kernel takes an emulator of ARM, a base image of linux/arm64 stands beside it, and the emulator stays registered.
set -euo pipefail
room="$(cd "$(dirname "$0")/.." && pwd)/build/engine"
socket="$room/engine.sock"
base=crossload-test/base:1
arm_base=crossload-test/base:1-arm64
packages=python3,python3-venv,ca-certificates,openjdk-17-jre-headless
release="$(. /etc/os-release && echo "$VERSION_CODENAME")"
formats=/proc/sys/fs/binfmt_misc

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
    if ! has_image "$base"; then
        rm -rf "$room/root"
        debootstrap --variant=minbase --include="$packages" "$release" "$room/root" >"$room/base.log" 2>&1 || { tail -5 "$room/base.log" >&2; exit 1; }
        rm -rf "$room/root/var/cache/apt/archives"
        cp /etc/ssl/certs/ca-certificates.crt "$room/root/etc/ssl/certs/" # a builder's own certificate authority
        tar -C "$room/root" -c . | curl -sf --unix-socket "$socket" -T - -X POST "http://engine/images/create?fromSrc=-&repo=${base%:*}&tag=${base#*:}" >/dev/null
        rm -rf "$room/root"
    fi
    echo "DOCKER_HOST=unix://$socket"
    echo "CROSSLOAD_TEST_BASE=$base"
    if emulator >"$room/emulator.log" 2>&1; then
        has_image "$arm_base" || make_arm_base
        echo "CROSSLOAD_TEST_ARM_BASE=$arm_base"
    else
        tail -1 "$room/emulator.log" >&2
    fi
}

has_image() { curl -sf --unix-socket "$socket" "http://engine/images/$1/json" >/dev/null; }

emulator() {
    command -v qemu-aarch64-static || DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 qemu-user-static
    [ -e $formats/register ] || mount -t binfmt_misc binfmt_misc $formats
    [ -e $formats/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >$formats/register
}

# The packages are unpacked only: their scripts would run for minutes in the emulator, and Python and Java do without them.
make_arm_base() {
    local root="$room/root-arm64" context="$room/context" package
    rm -rf "$root" "$context"
    mkdir "$context"
    debootstrap --foreign --arch=arm64 --variant=minbase --include="$packages" "$release" "$root" >"$room/base-arm64.log" 2>&1 ||
        { tail -5 "$room/base-arm64.log" >&2; exit 1; }
    for package in "$root"/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
    rm -rf "$root/var/cache/apt/archives"
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    ln -s ../lib/jvm/java-17-openjdk-arm64/bin/java "$root/usr/bin/java"
    tar -C "$root" -cf "$context/root.tar" .
    # An import would be labelled with the engine's own platform.
    printf 'FROM scratch\nADD root.tar /\n' >"$context/Dockerfile"
    tar -C "$context" -c . | curl -sf --unix-socket "$socket" -T - -X POST -H 'Content-Type: application/x-tar' \
        "http://engine/build?t=$arm_base&platform=linux/arm64" >"$room/base-arm64.log"
    rm -rf "$root" "$context"
    has_image "$arm_base" || { tail -1 "$room/base-arm64.log" >&2; exit 1; }
}

down() {
    [ -f "$room/pid" ] && kill "$(cat "$room/pid")" 2>/dev/null && while kill -0 "$(cat "$room/pid" 2>/dev/null)" 2>/dev/null; do sleep 0.1; done
    umount "$room"/exec/netns/* "$room"/data/overlay2/*/merged 2>/dev/null || true
    rm -rf "$room"
}

"$1"
