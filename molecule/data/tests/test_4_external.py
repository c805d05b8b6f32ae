"""Services that run elsewhere: here two that belong to no stack, which the stack reaches by the host's own address."""

from __future__ import annotations

import re
import urllib.parse

import pytest
from entrusted import problems

PASSWORD, WRONG = "p@ss/w:rd?&#%+ é-3b8f61", "wr0ng-5c31d07be2"
VALUES = {"managed_password": PASSWORD, "managed_wrong": WRONG}
OPENSSL = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=managed.test -keyout /srv/managed/key -out /srv/managed/cert 2>/dev/null"
# PostgreSQL's port, Redis' port, one that nobody listens on, and one that answers nothing.
DATABASE, CACHE, CLOSED, SILENT = 15432, 16379, 15999, 15998
GOOD = {
    "database": {"kind": "postgresql", "secret": "managed_url"},
    "cache": {"kind": "redis", "secret": "managed_cache_url"},
}


@pytest.fixture(scope="module")
def managed(notes):
    """A PostgreSQL with TLS and a Redis, in networks of their own; returns where they are reached."""
    notes.sh(f"mkdir -p /srv/managed && {OPENSSL} && chown 999:999 /srv/managed/key && chmod 600 /srv/managed/key")
    notes.sh("docker network create managed")
    run = "docker run --detach --network managed --name managed-"
    notes.sh(f"printf %s '{PASSWORD}' > /srv/managed/password && printf 'requirepass \"%s\"\\n' '{PASSWORD}' > /srv/managed/redis.conf")
    notes.sh(
        f"{run}database --publish 0.0.0.0:{DATABASE}:5432 --volume /srv/managed:/managed:ro --env POSTGRES_PASSWORD_FILE=/managed/password"
        " --env POSTGRES_USER=app postgres:17 -c ssl=on -c ssl_cert_file=/managed/cert -c ssl_key_file=/managed/key"
    )
    notes.sh(f"{run}cache --publish 0.0.0.0:{CACHE}:6379 --volume /srv/managed:/managed:ro redis:8.0 redis-server /managed/redis.conf")
    notes.sh(f"nft 'table inet silent {{ chain input {{ type filter hook input priority -10; tcp dport {SILENT} drop; }}; }}'")
    notes.sh("timeout 60 sh -c 'until docker exec managed-database pg_isready -h 127.0.0.1 -U app; do sleep 0.1; done'")
    yield notes.sh("docker network inspect bridge --format '{{(index .IPAM.Config 0).Gateway}}'")
    notes.sh("docker rm --force --volumes managed-database managed-cache && docker network rm managed && nft delete table inet silent")


@pytest.fixture(scope="module")
def declaration(managed):
    """What a stack that uses them says."""

    def declare(external: dict) -> dict:
        def url(secret: str, sslmode: str) -> dict:
            return {"template": f"postgresql://app:{{{secret}}}@{managed}:{DATABASE}/app?sslmode={sslmode}"}

        secrets = {
            "managed_password": {},
            "managed_wrong": {},
            "managed_url": url("managed_password", "require"),
            "managed_wrong_url": url("managed_wrong", "require"),
            "managed_verified_url": url("managed_password", "verify-full"),
            "managed_nowhere_url": {"template": "postgresql://app:{managed_password}@nowhere.invalid/app"},
            "managed_cache_url": {"template": f"redis://:{{managed_password}}@{managed}:{CACHE}/0"},
            "managed_wrong_cache_url": {"template": f"redis://:{{managed_wrong}}@{managed}:{CACHE}/0"},
        }
        return {"notes": {"external": external, "secrets": secrets}}

    return declare


def test_good_credentials_deploy(notes, declaration):
    done = notes.deploy(stack_overrides=declaration(GOOD), notes_values=VALUES)
    assert done.code == 0, done.output
    assert PASSWORD not in done.output
    assert notes.version() == "1.0.0"


def test_each_failure_is_told_from_the_others_and_nothing_is_touched(notes, managed, declaration, untouched):
    faults = {
        "elsewhere": {"kind": "postgresql", "secret": "managed_nowhere_url"},
        "closed": {"kind": "tcp", "host": managed, "port": CLOSED},
        "silent": {"kind": "tcp", "host": managed, "port": SILENT},
        "untrusted": {"kind": "postgresql", "secret": "managed_verified_url"},
        "plain": {"kind": "tls", "host": managed, "port": CACHE},
        "stranger": {"kind": "postgresql", "secret": "managed_wrong_url"},
        "thief": {"kind": "redis", "secret": "managed_wrong_cache_url"},
    }
    told = {
        "elsewhere": (r"nowhere\.invalid:5432", "its name is not found"),
        "closed": (rf":{CLOSED}", "the connection is refused"),
        "silent": (rf":{SILENT}", "it does not answer"),
        "untrusted": (rf":{DATABASE}", "TLS fails: .*certificate"),
        "plain": (rf":{CACHE}", "TLS fails"),
        "stranger": (rf":{DATABASE}", "it does not let in: .*password"),
        "thief": (rf":{CACHE}", "it does not let in: .*password"),
    }
    before = untouched()
    done = notes.deploy(stack_overrides=declaration({**GOOD, **faults}), notes_values=VALUES, notes_run="never")
    assert done.code != 0
    assert untouched() == before
    found = problems(done.output)
    assert len(found) == len(told), found
    for (name, (address, meaning)), line in zip(told.items(), found):
        assert re.search(rf"^stack notes: external service {name} \(.*{address}\), seen from network notes_default: {meaning}.* Remedy: ", line), (name, line)
    for value in (PASSWORD, urllib.parse.quote(PASSWORD, safe=""), WRONG):
        assert value not in done.output
    assert notes.version() == "1.0.0"
    # Those that asked are gone.
    assert "probe" not in notes.sh("docker ps --all --format '{{.Image}} {{.Names}}'")
