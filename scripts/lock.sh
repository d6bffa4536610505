#!/usr/bin/env bash
# Compiles requirements/*.txt from pyproject.toml: exact versions with hashes, for every supported
# Python and platform, and naming no index: where packages come from is the installer's business.
set -euo pipefail
cd "$(dirname "$0")/.."
uv="${UV:-.venv/bin/uv}"

compile() { # OUTPUT, then what to compile
  local output="requirements/$1"
  shift
  "$uv" pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
    --output-file "$output" "$@" "${UPGRADE[@]}"
}

UPGRADE=()
if [ "${1:-}" = "--upgrade" ]; then UPGRADE=(--upgrade); fi
mkdir -p requirements
compile build.txt --group build
compile runtime.txt pyproject.toml
compile dev.txt pyproject.toml --extra proof --group dev --constraint requirements/runtime.txt
