#!/bin/sh
# Runs Molecule scenarios, several at a time, the first ones first. What each says comes whole when it has ended;
# one alone says it as it goes.
# Tests marked slow are left out, unless SLOW is set.
# [SLOW=1] sh tests/scenarios.sh JOBS SCENARIO...
set -eu
cd "$(dirname "$0")/.."
[ -n "${SLOW-}" ] || export PYTEST_ADDOPTS="${PYTEST_ADDOPTS-} -m 'not slow'"
jobs=$1
shift
declared=$(ls molecule/*/molecule.yml | xargs -n 1 dirname | xargs -n 1 basename)
for scenario in "$@"; do
    echo "$declared" | grep -qx "$scenario" || { echo "scenarios: there is no molecule/$scenario" >&2; exit 1; }
done
if [ "$jobs" = 1 ]; then
    for scenario in "$@"; do
        echo "== molecule: $scenario"
        molecule test -s "$scenario"
    done
    exit
fi
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
export logs
# 255 has xargs start no further one.
printf '%s\n' "$@" | xargs -P "$jobs" -I SCENARIO sh -c '
    echo "== molecule: SCENARIO begins"
    molecule test -s SCENARIO >"$logs/SCENARIO" 2>&1 && code=0 || code=$?
    { echo "== molecule: SCENARIO"; cat "$logs/SCENARIO"; echo "== molecule: SCENARIO ended with $code"; } >"$logs/SCENARIO.whole"
    cat "$logs/SCENARIO.whole"
    [ "$code" = 0 ] || exit 255'
