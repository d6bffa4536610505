#!/usr/bin/env bash
# The service as a component of Tekton, whose launcher calls this script from whatever directory. It listens on BUDGET_PORT (8013).
# Words are passed on: run_budget.sh --port 8014. The program takes this process over, so that signals reach it.
set -euo pipefail

script="${BASH_SOURCE[0]}"
while [ -L "$script" ]; do
  folder="$(cd "$(dirname "$script")" && pwd -P)"
  script="$(readlink "$script")"
  [ "${script#/}" != "$script" ] || script="$folder/$script"
done
home="$(cd "$(dirname "$script")" && pwd -P)"

if [ ! -x "$home/.venv/bin/tekton-budget" ]; then
  echo "run_budget.sh: making $home/.venv, which takes a minute or two" >&2
  make -C "$home" .venv/bin/.runtime >&2
fi
# The launcher puts Tekton's own modules in front of everybody's; this program has its own.
unset PYTHONPATH
exec "$home/.venv/bin/python" -m tekton_budget "$@"
