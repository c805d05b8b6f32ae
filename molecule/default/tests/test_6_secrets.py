"""Secrets are rotated and rolled back, and looked for everywhere: in every output of these tests, and all over the host."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

import pytest

PROJECT = os.environ["MOLECULE_PROJECT_DIRECTORY"]
LOOK = (pathlib.Path(__file__).parent / "look.py").read_text()
# Logs in anew as one login, again and again, as a worker does that reconnects. Says each time how that went.
LOGINS = """
url=/secrets/database_url/{0}
export PGHOST=pgbouncer PGPORT=6432 PGDATABASE=selflink
export PGUSER=$(sed -E 's,.*//(.*):.*@.*,\\1,' $url) PGPASSWORD=$(sed -E 's,.*//.*:(.*)@.*,\\1,' $url)
while :; do
  psql -qtAc 'select 1' 2>&1 || echo refused
  sleep 0.2
done
"""
SESSIONS = "select distinct usename from pg_stat_activity where datname = 'selflink' and usename like 'app_login%'"
USERS_OF_THE_DATABASE = {"api", "asgi", "worker", "beat"}


def as_root(command: str, text: str = "") -> str:
    """A command on the host, given a text that no command line shows."""
    argv = ["ssh", "-F", ".bed/ssh_config", "default", "sudo " + command]
    return subprocess.run(argv, cwd=PROJECT, input=text, check=True, text=True, stdout=subprocess.PIPE).stdout


class Login:
    """Somebody who keeps logging in with one version of the database's URL."""

    def __init__(self, host, version: int) -> None:
        self._host, self._name = host, "login-%d" % version
        mount = "/opt/stacks/selflink/secrets:/secrets:ro"
        start = "sudo docker run -d --name %s --network selflink_default -v %s postgres:17 sh -c %s"
        host.check_output(start, self._name, mount, LOGINS.format(version))

    def said(self) -> list[str]:
        """Each answer so far: 1, or why not."""
        return self._host.check_output("sudo docker logs %s", self._name).splitlines()

    def end(self) -> None:
        self._host.check_output("sudo docker rm -f %s", self._name)


@pytest.fixture()
def sql(host):
    return lambda text: host.check_output("sudo docker exec selflink-postgres-1 psql -U selflink -tAc %s", text).split()


@pytest.fixture()
def look(site):
    """Every place where the value of a secret is seen."""

    def now() -> list[str]:
        as_root("rm -f /run/look.watch")
        as_root("sh -c 'while systemctl is-active --quiet look; do sleep 0.1; done'")
        known = as_root("sh -c 'cd /opt/stacks/selflink/secrets && for one in *_login/* *_key/* *_secret/* *_password/*; do cat $one; echo; done'")
        values = {value for value in known.split() if len(value) >= 32}
        told = ["output %d" % number for number, text in enumerate(site.outputs) for value in values if value in text]
        assert len(values) > 5 and len(site.outputs) > 5
        return told + json.loads(as_root("python3 - look", LOOK))

    return now


@pytest.fixture()
def watch():
    """Every command line on the host is kept from here on."""
    as_root("sh -c 'touch /run/look.watch; cat > /run/look.py'", LOOK)
    as_root("systemd-run --quiet --collect --unit=look python3 /run/look.py watch")


def test_a_rotated_password_refuses_nobody_and_neither_does_the_way_back(site, watch, host, containers, sql, probe):
    before = containers()
    old, releases = Login(host, 1), host.check_output("ls /opt/stacks/selflink/releases").split()
    try:
        done = site(rotate="app_login")
        assert done.code == 0, done.output
        rotated = containers()
        # PostgreSQL and the pooler are not told: both logins are there.
        assert {name for name in before if rotated[name] != before[name]} == USERS_OF_THE_DATABASE
        assert sql(SESSIONS) and "app_login_v2" in sql(SESSIONS)
        new = Login(host, 2)
        try:
            assert site().recap["changed"] == 0
            assert probe().returncode == 0
            back = site("playbooks/rollback.yml", stack="selflink")
            assert back.code == 0, back.output
            assert {name for name, one in containers().items() if rotated[name] != one} == USERS_OF_THE_DATABASE
            assert probe().returncode == 0
            answers = old.said(), new.said()
        finally:
            new.end()
    finally:
        old.end()
    for said in answers:
        assert len(said) > 5 and set(said) == {"1"}, set(said)
    refused = "sudo sh -c 'docker logs selflink-postgres-1; docker logs selflink-pgbouncer-1' 2>&1 | grep -ciE 'authentication failed|login failed|no such user'"
    assert host.run(refused).stdout.strip() == "0"
    assert len(host.check_output("ls /opt/stacks/selflink/releases").split()) == len(releases) + 1


def test_what_a_failing_service_says_of_its_secrets_is_not_repeated(site, probe):
    tell = "cat /run/secrets/redis_url; exit 1"
    done = site(stack_overrides={"selflink": {"services": {"worker": {"command": ["sh", "-c", tell]}}}})
    assert done.code != 0
    assert "redis://:[secret redis_password]@redis:6379/0" in done.output or "[secret redis_url]" in done.output, done.output
    assert probe().returncode == 0


@pytest.mark.slow
def test_a_module_that_fails_tells_no_value(site, host, probe):
    host.check_output("sudo mv /opt/stacks/selflink/secrets/redis_conf /root/redis_conf")
    host.check_output("sudo touch /opt/stacks/selflink/secrets/redis_conf")
    try:
        done = site()
        assert done.code != 0
        assert "/opt/stacks/selflink/secrets/redis_conf" in done.output
        assert "must be a directory" in done.output
    finally:
        host.check_output("sudo sh -c 'cd /opt/stacks/selflink/secrets && rm redis_conf && mv /root/redis_conf .'")
    # Today's declaration is the rotated one still.
    done = site()
    assert done.code == 0, done.output
    assert done.recap["changed"] > 0
    assert probe().returncode == 0


def test_no_value_is_seen_anywhere(look):
    assert look() == []


PLANTED = {
    "journal": "systemd-cat -t app cat",
    "history": "tee -a /opt/stacks/selflink/history.jsonl",
    "docker inspect": "sh -c 'docker create --name planted --env VALUE=$(cat) postgres:17'",
    "command lines": "sh -c 'read value; sh -c \"sleep 3; true\" $value'",
    "file /var/tmp/planted": "tee /var/tmp/planted",
    "file /opt/stacks/selflink/secrets/planted/1": "sh -c 'mkdir /opt/stacks/selflink/secrets/planted; cat > /opt/stacks/selflink/secrets/planted/1'",
    "file /var/lib/docker": "sh -c 'docker create --name planted-too postgres:17 && cat > /run/look.value && docker cp /run/look.value planted-too:/value'",
    "docker logs": "sh -c 'read value; docker run --name planted-log postgres:17 echo $value'",
}


def test_values_that_are_planted_are_found(look, watch, site):
    (value,) = as_root("sh -c 'cat /opt/stacks/selflink/secrets/redis_password/1'").split()
    for plant in PLANTED.values():
        as_root(plant, value + "\n")
    site.outputs.append("ok: [default] => " + value)
    seen = look()
    for place in [*PLANTED, "output %d" % (len(site.outputs) - 1)]:
        assert [one for one in seen if one.startswith(place)], (place, seen)
