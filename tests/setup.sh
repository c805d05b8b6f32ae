#!/bin/sh
# Sets up the checkout's own tools, once: .venv with requirements.txt.
# Safe to run again: it does nothing while its inputs are unchanged.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
python=${PYTHON:-python3}
stamp=$venv/.requirements
inputs=$(cat requirements.txt tests/setup.sh | sha256sum)

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: $python is older than 3.11: set PYTHON to a newer one" >&2
    exit 1
}
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$inputs" ]; then
    exit 0
fi

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# Debian splits ensurepip off into a package of its own; Ansible needs ssh.
packages=
"$python" -c 'import ensurepip' 2>/dev/null || packages=python3-venv
command -v ssh >/dev/null || packages="$packages openssh-client"
if [ -n "$packages" ]; then
    as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of names, without blanks in them
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages
fi

"$python" -m venv --clear "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
printf '%s\n' "$inputs" >"$stamp"
