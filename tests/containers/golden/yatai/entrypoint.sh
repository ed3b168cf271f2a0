#!/bin/sh
set -eu

# Options only: start the server with them.
case "${1:-}" in
    -*) set -- bentoml yatai-service-start "$@" ;;
esac

exec /opt/bentoml/bin/python /opt/bentoml-yatai/drop_root.py "$@"
