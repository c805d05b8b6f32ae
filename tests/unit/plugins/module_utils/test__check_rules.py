# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._check_model import KINDS, TYPES, check_of, kind_of, typed
from ansible_collections.portside.stack.plugins.module_utils._check_rules import flaws, parse, services_used
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from hypothesis import given
from hypothesis import strategies as st

URL = "http://127.0.0.1:8000/"
# One of each kind, with all that goes with it.
EACH = {
    "http": {
        "url": "https://a.test/",
        "method": "POST",
        "status": 201,
        "headers": {"Host": "b.test"},
        "body": "ok",
        "response_headers": {"X-Frame-Options": "DENY"},
        "certificate_days": 14,
        "verify": False,
        "address": "edge:8443",
    },
    "websocket": {"url": "wss://a.test/ws", "headers": {"Origin": "https://a.test"}, "status": 403},
    "events": {"url": URL, "event": ""},
    "tcp": {"tcp": "10.0.0.5:25"},
    "container": {"container": "api"},
    "command": {"command": ["test", "-e", "/x"], "service": "api", "output": "yes"},
    "postgresql": {"postgresql": "postgres"},
    "redis": {"redis": "redis:6379", "password_secret": "redis_password"},
    "celery": {"celery": "worker", "app": "core", "workers": 2},
    "queue": {"queue": {"redis": "redis", "name": "mail", "database": 1, "max": 5}, "password_secret": "redis_password"},
}


def texts(check):
    return [flaw.text for flaw in flaws(dict({"name": "api"}, **check))]


def test_each_kind_is_told_by_what_it_asks_and_has_its_own_patience():
    assert set(EACH) == set(KINDS)
    for kind, check in EACH.items():
        assert texts(check) == []
        made = check_of(dict(check, name="one"))
        assert (made.kind, made.timeout, made.interval) == (kind, KINDS[kind].timeout, KINDS[kind].interval)
        own = check_of(dict(check, name="one", timeout="2", interval=3, deadline=4, successes="5"))
        assert (own.timeout, own.interval, own.deadline, own.successes) == (2.0, 3.0, 4.0, 5)
        assert made.what


def test_a_check_of_an_older_record_is_read():
    old = {"name": "b", "url": URL, "status": "302", "timeout": "5", "interval": "1", "headers": None, "body": None}
    (check,) = parse([old])
    assert (check.kind, check.options["status"], check.timeout, check.successes) == ("http", 302, 5.0, 1)
    assert "body" not in check.options and check.options["headers"] == {}


WRONG = [
    ({"url": "127.0.0.1:8000"}, "url '127.0.0.1:8000' is not an address"),
    ({"url": "ftp://x/"}, "is not an address"),
    ({"url": "http://x/a b"}, "is not an address"),
    ({"url": "http://x:99999/"}, "is not an address"),
    ({"url": "http://user:pw@x/"}, "url is not an address that can be asked, without credentials"),
    ({"url": URL, "status": 99}, "status 99 is not an HTTP status"),
    ({"url": URL, "timeout": 0}, "timeout 0 is not a number of seconds"),
    ({"url": URL, "interval": -1}, "interval -1 is not a number of seconds"),
    ({"url": URL, "deadline": "soon"}, "deadline 'soon' is not a number of seconds"),
    ({"url": URL, "successes": 0}, "successes 0 is not how many times"),
    ({"url": URL, "body": "("}, "body '(' is not a regular expression"),
    ({"url": URL, "method": "get it"}, "method 'get it' is not a method"),
    ({"url": URL, "location": 3}, "location 3 is not a regular expression"),
    ({"url": URL, "headers": {"X": "a\r\nB: s3cret"}}, "headers is not a mapping of headers"),
    ({"url": URL, "response_headers": {"X y": "a"}}, "response_headers {'X y': 'a'} is not a mapping"),
    ({"url": URL, "certificate_days": 3}, "certificate_days is for https"),
    ({"url": URL, "verify": False}, "verify is for https"),
    ({"url": URL, "address": "a b"}, "address 'a b' is not where to connect"),
    ({"url": "ws://x/", "event": ""}, "event means nothing to a check of a WebSocket"),
    ({"url": "ws://x/", "body": "x"}, "body means nothing to a check of a WebSocket"),
    ({"url": URL, "event": "", "status": 200}, "status means nothing to a check of events"),
    ({"tcp": "api"}, "tcp 'api' is not where to connect"),
    ({"tcp": "api:80", "status": 200}, "status means nothing to a check of tcp"),
    ({"container": "a:80"}, "container 'a:80' is not the name of a service"),
    ({"command": "rm x", "service": "api"}, "command 'rm x' is not a command"),
    ({"command": [], "service": "api"}, "command [] is not a command"),
    ({"command": ["true"]}, "it has command, but no service"),
    ({"celery": "worker"}, "it has celery, but no app"),
    ({"celery": "worker", "app": "core", "workers": 0}, "workers 0 is not a number of workers"),
    ({"queue": {"max": 3}}, "queue names no Redis"),
    ({"queue": {"redis": "redis", "max": -1}}, "queue.max -1 is not a length"),
    ({"queue": "redis"}, "queue 'redis' is not a mapping"),
    ({"postgresql": "a b"}, "postgresql 'a b' is not a server"),
    ({"redis": "redis", "password_secret": ""}, "password_secret '' is not the name of a secret"),
    ({}, "it asks for nothing; add one of url, tcp, container"),
    ({"url": URL, "tcp": "a:1"}, "it asks for url and tcp at once"),
]


@pytest.mark.parametrize(("check", "expected"), WRONG)
def test_wrong_checks_are_refused(check, expected):
    found = " | ".join(texts(check))
    assert expected in found
    assert "pw" not in found and "s3cret" not in found
    with pytest.raises(StackError, match="check 'api': "):
        parse([dict(check, name="api")])


def test_unknown_keys_come_with_those_that_are_known():
    (flaw,) = flaws({"name": "a", "url": URL, "stauts": 1})
    assert flaw.name == "stauts" and "status" in flaw.known
    (flaw,) = flaws({"name": "a", "queue": {"redis": "r", "mx": 1}})
    assert flaw.name == "mx" and "max" in flaw.known


def test_all_problems_are_told_at_once():
    one = {"name": "api", "url": URL}
    with pytest.raises(StackError) as caught:
        parse([one, dict(one, status=1, timeout=0), {"name": "x", "tpc": "a:1"}])
    assert "is there twice" in str(caught.value) and len(str(caught.value).splitlines()) == 5


def test_the_services_that_a_check_is_about():
    used = {kind: [one.service for one in services_used(check)] for kind, check in EACH.items()}
    assert used == {
        "http": ["edge"],
        "websocket": [],
        "events": [],
        "tcp": [],
        "container": ["api"],
        "command": ["api"],
        "postgresql": ["postgres"],
        "redis": ["redis"],
        "celery": ["worker"],
        "queue": ["redis"],
    }


ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(st.dictionaries(st.sampled_from(sorted(TYPES)), ANY))
def test_whatever_is_declared_is_judged_and_what_has_no_flaw_is_a_check(check):
    check = {key: value for key, value in check.items() if value is not None}
    services_used(check)
    if not list(flaws(check)):
        made = check_of(check)
        assert made.kind == kind_of(check) and made.what is not None
        assert check_of(typed(check)) == made
