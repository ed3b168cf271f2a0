#!/bin/sh
# The end-to-end tests use curl, a real Chromium, PostgreSQL and Podman. Where this is Debian and we may install, fetch
# what is missing; elsewhere the tests that need them are skipped and say so. Never fails.
missing=""
command -v curl >/dev/null || missing="$missing curl"
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    missing="$missing chromium"
{ command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 || missing="$missing postgresql"
command -v podman >/dev/null || missing="$missing podman crun"
[ -x /usr/lib/podman/netavark ] || [ -x /usr/lib/cni/bridge ] || missing="$missing netavark iptables"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing$missing for the end-to-end tests"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 - one word per package is meant
    apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
fi
echo "not installed:$missing - the tests that need them will be skipped" >&2
exit 0
