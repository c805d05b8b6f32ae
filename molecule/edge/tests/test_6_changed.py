"""Other routes, while users are served and streams are open; back again; and what somebody did to the file by hand."""

from __future__ import annotations

import ssl

import pytest
from edges import ROOT, asking, eventually

MORE = [
    {"host": "new.test", "service": "media", "port": 8080},
    {"host": "self.test", "exact": "/added", "respond": {"status": 200, "body": "added\n"}},
    {"host": "self.test", "prefix": "/api/v2", "service": "media", "port": 8080},
]
THROUGH_THE_TUNNEL = [
    {"host": "self.test", "prefix": "/api", "service": "media", "port": 8080, "stack": "front"},
    {"host": "*.wild.test", "exact": "/teapot", "respond": 418},
    {"service": "asgi", "port": 8001, "stack": "front"},
]
STREAM = "https://self.test/api/v1/mentor/stream"


@pytest.fixture(scope="module")
def stream(front):
    """An event stream that is open all the time."""
    found = front.events(f"{STREAM}/events?channel=changed")
    found.next()
    yield found
    found.close()


@pytest.fixture(scope="module")
def before(site, stream):
    """Containers before anything changed."""
    return site.started("front", "tunnel")


@pytest.fixture(scope="module")
def changed(site, front, before):
    """How requests were answered during the deploy of other routes."""
    with asking(lambda: front.ask("https://self.test/"), lambda: front.ask("https://lcl.example.com/api/")) as seen:
        site.deployed("front", "website", "tunnel", edge_more_routes=MORE, stack_overrides={"tunnel": {"routes": THROUGH_THE_TUNNEL}})
    return seen


def heard(front, stream, text: str) -> bool:
    """Whether what is published now comes out of the stream that was opened before."""
    front.ask(f"{STREAM}/publish?channel=changed", "POST", body=text.encode())
    return stream.next() == text


def test_nobody_noticed(changed):
    for seen in changed:
        assert set(seen) == {200} and seen[200] > 10, changed


def test_the_new_routes_are_served_by_the_same_container(site, front, before, changed):
    assert front.ask("https://self.test/added").body == b"added\n"
    assert front.ask("https://self.test/api/v2/x").service == "media:8080"
    assert front.ask("https://self.test/api/v1/x").service == "api:8000"
    after = site.started("front")
    assert {service: after[service] for service in after} == {service: before[service] for service in after}


def test_the_certificate_is_for_the_new_name_too(front, changed):
    assert front.ask("https://new.test/").service == "media:8080"
    assert front.ask("https://shop.test/").service == "api:8000"


def test_streams_that_were_open_go_on(front, stream, changed):
    assert heard(front, stream, "after the reload")


def test_the_tunnel_is_made_anew_with_its_new_routes(site, before, changed):
    tunnel = site.tunnel()
    assert tunnel.ask("http://self.test/api/v1/mentor/stream").service == "media:8080"
    assert tunnel.ask("http://self.test/ws").service == "asgi:8001"
    assert tunnel.ask("http://a.b.wild.test/teapot").status == 418
    assert tunnel.ask("http://self.test/a//b").status == 400
    after = site.started("tunnel")
    assert set(after) == {"tunnel/edge"} and after["tunnel/edge"][0] != before["tunnel/edge"][0]


def test_a_rollback_brings_the_old_routes_back(site, front, stream, before, changed):
    done = site.run("rollback", stack="front")
    assert done.code == 0, done.output
    assert front.ask("https://self.test/added").service == "api:8000"
    assert front.ask("https://self.test/api/v2/x").service == "api:8000"
    with pytest.raises(ssl.SSLError):
        front.connect("https://new.test/")
    assert site.started("front") == {service: before[service] for service in site.started("front")}
    assert heard(front, stream, "after the rollback")


@pytest.mark.slow
def test_a_file_that_was_edited_by_hand_is_healed_and_no_certificate_is_asked_for(site, front, stream, before, changed):
    config, asked = f"{ROOT}/front/edge/nginx.conf", "journalctl --unit pebble --quiet --grep 'Issued certificate' | wc -l"
    issued = site.sh(asked)
    site.sh(f"sed -i 's/api\\.front/nobody/' {config} && docker kill --signal HUP front-edge-1")
    eventually("nobody is asked", lambda: front.ask("https://self.test/api/x").status == 502)
    site.deployed("front", "website", "tunnel")
    assert front.ask("https://self.test/api/x").service == "api:8000"
    assert site.sh(f"cmp {config} {ROOT}/front/current/edge/nginx.conf && echo same") == "same"
    assert site.sh(asked) == issued != "0"
    assert site.started("front") == {service: before[service] for service in site.started("front")}
    assert heard(front, stream, "after it was healed")
