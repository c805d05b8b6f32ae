#!/bin/sh
# Builds the collection and proves that the artefact works alone: nothing of the
# checkout's conveniences in it, every plugin and role documented, the playbooks
# found by their names, and ansible-test sanity without a single ignored rule.
# sh tests/artefact.sh [--no-sanity]
set -eu
cd "$(dirname "$0")/.."
checkout=$PWD
PATH=$checkout/.venv/bin:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
here=$work/ansible_collections/portside/stack
export ANSIBLE_COLLECTIONS_PATH="$work:$checkout/collections"
export PYTHONDONTWRITEBYTECODE=1

# From a copy of what git knows, so that nobody's leftovers get in.
mkdir "$work/source"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --no-dereference -t "$work/source"
ansible-galaxy collection build "$work/source" --output-path "$work" >/dev/null
ansible-galaxy collection install "$work"/portside-stack-*.tar.gz -p "$work" --no-deps --force >/dev/null

unexpected=$(ls "$here" | grep -vxE 'CHANGELOG.md|FILES.json|LICENSE|MANIFEST.json|README.md|changelogs|docs|meta|playbooks|plugins|roles' || true)
if [ -n "$unexpected" ]; then
    echo "artefact: build_ignore of galaxy.yml lets through: $unexpected" >&2
    exit 1
fi

# Only what an installed collection may rely on.
(cd "$here" && rm -rf changelogs docs README.md CHANGELOG.md LICENSE)
touch "$work/empty.cfg"
for playbook in playbooks/*.yml; do
    ansible-playbook "portside.stack.$(basename "$playbook" .yml)" --syntax-check -i localhost, >/dev/null
    # From the checkout, with nothing set anywhere: the links must do.
    (cd / && env -u ANSIBLE_COLLECTIONS_PATH ANSIBLE_CONFIG="$work/empty.cfg" \
        ansible-playbook "$checkout/$playbook" --syntax-check -i localhost, >/dev/null)
done
for kind in module filter role; do
    names=$(ansible-doc -t "$kind" --list portside.stack 2>/dev/null | awk '/^portside\.stack\./ {print $1}' | sort -u)
    case $kind in
        module) expected=$(ls "$here"/plugins/modules/*.py | wc -l) ;;
        filter) expected=$(ls "$here"/plugins/filter/*.py | wc -l) ;;
        role) expected=$(ls -d "$here"/roles/*/ | wc -l) ;;
    esac
    if [ "$(echo "$names" | wc -l)" != "$expected" ]; then
        echo "artefact: not every $kind is documented; ansible-doc lists: $names" >&2
        exit 1
    fi
    # shellcheck disable=SC2086 # a list of names
    ansible-doc -t "$kind" $names >/dev/null
done
echo "artefact: $(ls "$work"/*.tar.gz | xargs -n1 basename) works alone"

[ "${1-}" = --no-sanity ] && exit 0
rm -rf "$here"
mkdir -p "$here"
cp -a "$work/source/." "$here/"
rm -rf "$here/collections" "$here/playbooks/collections" "$here/tests" "$here/molecule" "$here/inventories"
cd "$here"
git init -q .
git add -A
# ansible-test downloads a bootstrap script for pip; the pip that Python itself
# carries serves as well, and is there without a network.
export HOME="$checkout/.cache/sanity"
requirements=$(python3 -c 'import ansible_test._internal.python_requirements as it; print(it.__file__)')
pip_version=$(sed -n "s/^ *pip='\([0-9.]*\)',$/\1/p" "$requirements" | tr . _)
mkdir -p "$HOME/.ansible/test/cache"
echo 'import ensurepip; ensurepip.bootstrap(default_pip=True)' >"$HOME/.ansible/test/cache/get_pip_$pip_version.py"
ansible-test sanity --color no --python "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
