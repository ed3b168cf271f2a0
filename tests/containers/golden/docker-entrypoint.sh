#!/bin/sh
set -eu

if [ -n "${PORT:-}" ]; then
    BENTOML_PORT="$PORT"
    export BENTOML_PORT
fi

# Options only: serve this bundle with them.
case "${1:-}" in
    -*) set -- bentoml serve-gunicorn "$@" "$BUNDLE_PATH" ;;
esac

# The health check runs beside the server and has to know a port given as an option.
port="${BENTOML_PORT:-5000}"
previous=""
for argument in "$@"; do
    case "$argument" in
        --port=*) port="${argument#--port=}" ;;
    esac
    case "$previous" in
        --port|-p) port="$argument" ;;
    esac
    previous="$argument"
done
{ printf '%s\n' "$port" > "${BENTOML_HOME:-/tmp}/.port"; } 2>/dev/null || true

exec "$@"
