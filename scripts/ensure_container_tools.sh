#!/bin/sh
# The container tests use buildah, skopeo and debootstrap. Where this is Debian and we are root, fetch what is
# missing; elsewhere the tests are skipped and say so. Never fails.
missing=""
for tool in buildah skopeo debootstrap pgrep:procps; do
    command -v "${tool%:*}" >/dev/null || missing="$missing ${tool#*:}"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 - one word per package is meant
    apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
fi
echo "not installed:$missing - the container tests will be skipped" >&2
exit 0
