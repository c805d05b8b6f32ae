# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people do to a host by hand: planted for real, found and named by verify.yml, mended by site.yml.

Many at once, so that each run of a playbook proves as much as it can: what one hides of another would show.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest

PROJECT = pathlib.Path(__file__).parents[2]
NAME = os.environ.get("DRIFT_HOST", "drift")
INVENTORY = ["-i", "tests/drift/inventory", "-e", "drift_host=" + NAME]
SECRET = "nobody-may-read-this-one"

# How it is planted, and how the report names it.
DRIFTED = {
    "compose.yaml edited": ("sed -i 's/8000/8001/' current/compose.yaml", "current/compose.yaml was edited"),
    "the record's mode": ("chmod 644 current/release.json", "current/release.json has owner 0:0, mode 0644 instead of owner 0:0, mode 0600"),
    "a mounted file edited in place": ("echo 'colour = red' >> files/*/app.conf", "/app.conf was edited"),
    "a container sees that": ("true", "service api: sees another content of the configuration /etc/app.conf"),
    "a secret's mode": ("chmod 444 secrets/token/1-1000-1000-0400", "secrets/token/1-1000-1000-0400 has owner 1000:1000, mode 0444"),
    "the edge's file edited": (
        "sed -i '1i # by hand' edge/nginx.conf",
        "edge/nginx.conf is not the release's, and would be served after a reload: has '# by hand'",
    ),
    "a changed limit": ("docker update --memory 200m --memory-swap 400m shop-api-1", "service api: memory limit is 200 MiB instead of 96 MiB"),
    "another one": ("docker update --cpus 1.5 shop-api-1", "service api: cpu limit is 1.5 instead of 0.5"),
    "a restart policy": ("docker update --restart no shop-edge-1", "service edge: restart policy is no instead of unless-stopped"),
    "a network too many": ("docker network connect bridge shop-edge-1", "service edge: is on network bridge, which is not declared"),
    "another image": ("again worker nginx:1.26", "service worker: runs image nginx:1.26 instead of registry.test:5000/portside/edge-app:1.0.0"),
    "an extra container": (
        "docker run -d --name ghost --label com.docker.compose.project=shop --label com.docker.compose.service=ghost nginx:1.26",
        "container ghost (running) is of the project, but not of the release",
    ),
    "a second one of a service": ("second api", "container second (running) is one too many of its service"),
    "a missing firewall rule": ("drop_rule", "firewall: the table inet portside was changed: it lacks"),
    "a firewall that nobody watches": ("true", "firewall: portside-firewall.timer is missing, changed or does not run"),
    "no boot unit": ("systemctl disable portside@opt-stacks-shop.service", "docker.service.wants/portside@opt-stacks-shop.service is missing"),
}
BROKEN = {
    "a stopped service": ("docker stop shop-api-1", "service api: is exited"),
    "a missing container": ("docker rm -f shop-worker-1", "service worker: has no container"),
    "a missing network": ("docker network rm shop_side", "network shop_side is missing"),
    "a missing volume": ("docker volume rm shop_jobs", "volume shop_jobs is missing"),
    "a dropped route": ("drop_route", "edge/nginx.conf is not the release's, and what it says is served: lacks"),
    "no secret": ("rm secrets/token/1-1000-1000-0400", "secrets/token/1-1000-1000-0400 is missing"),
    "no mounted file": ("rm files/*/app.conf", "/app.conf is missing"),
    "a detached network": ("docker network disconnect shop_default shop-edge-1", "service edge: is not on network shop_default"),
    "no firewall": ("unwatched; nft delete table inet portside", "firewall: the table inet portside is gone"),
}
FUNCTIONS = r"""
set -e
cd /opt/stacks/shop
labels() {
    for name in portside.stack portside.digest com.docker.compose.{project,service,container-number}; do
        echo --label $name=$(docker inspect $1 --format "{{index .Config.Labels \"$name\"}}")
    done
}
# again SERVICE IMAGE: the container of a service, with its own labels and networks, of another image
again() {
    found=$(labels shop-$1-1); volume=$(docker inspect shop-$1-1 --format '{{range .Mounts}}-v {{.Name}}:{{.Destination}} {{end}}')
    docker rm -f shop-$1-1
    docker run -d --name shop-$1-1 --restart unless-stopped --network shop_default --network-alias $1 -e SERVICE=$1 $volume $found $2
    docker network connect shop_side shop-$1-1
}
second() { docker run -d --name second --network shop_default $(labels shop-$1-1) --label com.docker.compose.container-number=2 nginx:1.26; }
# What watches the firewall would have put it back by the time that somebody looks.
unwatched() { systemctl stop portside-firewall.timer portside-firewall-follow.service; }
drop_rule() {
    unwatched
    set -- $(nft -a list table inet portside | awk '/^\tchain/ {chain = $2} /^\t\t.*# handle [0-9]+$/ {print chain, $NF}' | tail -n 1)
    nft delete rule inet portside $1 handle $2
}
drop_route() {
    sed -i '\#^        location .*/api#,/^        }/d' edge/nginx.conf
    docker exec shop-edge-1 nginx -t -c /etc/portside/nginx.conf
    sleep 1; docker kill --signal HUP shop-edge-1
    sleep 2
}
"""


def run(*command, **keys):
    return subprocess.run(command, cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **keys)


def sh(script):
    done = run("ssh", "-F", ".bed/ssh_config", NAME, "sudo", "bash", "-s", input=FUNCTIONS + script)
    assert done.returncode == 0, done.stdout
    return done.stdout


def play(name, *options):
    done = run(".venv/bin/ansible-playbook", name, *INVENTORY, *options)
    assert SECRET not in done.stdout
    return done


def site(changes):
    done = play("site.yml")
    assert done.returncode == 0, done.stdout
    assert bool(re.search(r"^drift .* changed=0 ", done.stdout, re.MULTILINE)) != changes, done.stdout
    return done.stdout


def verify(code, *options):
    done = play("playbooks/verify.yml", *options)
    assert done.returncode == code, done.stdout
    return done.stdout.replace(current(), "current")


def current():
    return "releases/" + sh("basename $(readlink current)").strip()


@pytest.fixture(autouse=True, scope="module")
def _deployed():
    """Whatever was left of before."""
    done = play("site.yml")
    assert done.returncode == 0, done.stdout


def plant(rows):
    # What is removed as a whole comes last.
    for planted, _named in rows.values():
        sh(planted)


def found(rows, report):
    missing = [name for name, (_planted, named) in rows.items() if named not in report]
    assert not missing, "{0} not named:\n{1}".format(missing, report)


def test_what_was_just_deployed_has_not_drifted():
    assert "drift: CLEAN: " in verify(0)
    assert "drift: CLEAN: " in verify(0, "--check")
    site(changes=False)


@pytest.mark.parametrize(("rows", "code", "word"), [(DRIFTED, 2, "DRIFTED"), (BROKEN, 4, "BROKEN")], ids=["drifted", "broken"])
def test_each_is_named_and_mended(rows, code, word):
    plant(rows)
    report = verify(code)
    assert "drift: {0}: ".format(word) in report
    found(rows, report)
    site(changes=True)
    assert "drift: CLEAN: " in verify(0)
    site(changes=False)


def test_a_secret_that_was_edited_gets_a_new_version_and_a_generated_one_is_told_of():
    sh("chmod 600 secrets/key/1 secrets/token/1; echo other > secrets/token/1; echo other > secrets/key/1; chmod 400 secrets/key/1 secrets/token/1")
    report = verify(2)
    assert all("secret {0}: /opt/stacks/shop/secrets/{0}/".format(name) in report for name in ("key", "token"))
    assert "-e rotate=key" in report
    done = play("site.yml", "-e", "rotate=key")
    assert done.returncode == 0, done.stdout
    assert "drift: CLEAN: " in verify(0)
