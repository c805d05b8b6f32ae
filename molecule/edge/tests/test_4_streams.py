"""What is held open or long: event streams, WebSockets and uploads; and a limit that is for the API alone."""

from __future__ import annotations

import collections
import json

import pytest

EVENTS = "/api/v1/mentor/stream/events"
PUBLISH = "/api/v1/mentor/stream/publish"
SIZE = 200 << 20


def test_events_arrive_one_by_one(edge):
    # Each is sent only when the one before it has been read: an event that is held back on the way ends the test.
    stream = edge.web.events(f"{edge.base}{EVENTS}?channel=one-{edge.name}", headers={"Accept-Encoding": "gzip"})
    assert json.loads(stream.next())["service"] == "asgi"
    for number in range(20):
        text = f"event {number}" + " x" * (2000 if number % 5 == 0 else 0)
        assert edge.ask(f"{PUBLISH}?channel=one-{edge.name}", "POST", body=text.encode()).told["listeners"] == 1
        assert stream.next() == text
    stream.close()


def test_a_stream_ends_at_the_service_when_the_client_leaves(edge):
    edge.web.events(f"{edge.base}{EVENTS}?channel=gone-{edge.name}").close()
    for _ in range(100):
        if edge.ask(f"{PUBLISH}?channel=gone-{edge.name}", "POST", body=b"?").told["listeners"] == 0:
            return
    raise AssertionError("the service goes on speaking to nobody")


def test_a_websocket_carries_both_ways(edge):
    socket = edge.web.websocket(f"{edge.base}/ws/room?channel=both-{edge.name}")
    assert json.loads(socket.next())["target"] == f"/ws/room?channel=both-{edge.name}"
    for text in ("ping", "é" * 40, "x" * 70_000):
        socket.send(text)
        assert socket.next() == text
    edge.ask(f"/ws/publish?channel=both-{edge.name}", "POST", body=b"unasked")
    assert socket.next() == "unasked"
    socket.close()


def test_a_websocket_is_upgraded_where_it_is_declared_alone(front):
    other = front.ask("https://self.test/ws", headers={"Upgrade": "h2c", "Connection": "Upgrade"})
    assert (other.service, other.arrived("Upgrade")) == ("realtime:8001", [])
    answer = front.ask("https://self.test/", headers={"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "eA=="})
    assert (answer.service, answer.arrived("Upgrade")) == ("api:8000", [])


def test_a_websocket_of_system_3(site, second):
    socket = site.appstack().websocket("http://app.test/ws")
    assert json.loads(socket.next())["service"] == "frontend"
    socket.send("hot reload")
    assert socket.next() == "hot reload"
    socket.close()


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_of_200_mb_passes_where_it_is_allowed(front, chunked):
    assert front.upload("https://shop.test/up/sink", SIZE, chunked).told["size"] == SIZE


@pytest.mark.parametrize("chunked", [False, True])
def test_it_is_refused_where_it_is_not(front, chunked):
    assert front.upload("https://shop.test/sink", SIZE, chunked).status == 413
    assert front.upload("https://shop.test/up/sink", SIZE + (1 << 20), chunked).status == 413
    assert front.upload("https://shop.test/sink", 1 << 20, chunked).told["size"] == 1 << 20


def test_a_burst_over_the_limit_is_refused_and_streams_are_not(front):
    stream = front.events(f"https://limited.test{EVENTS}?channel=limited")
    stream.next()
    socket = front.websocket("https://limited.test/ws")
    socket.next()
    seen = collections.Counter(front.ask("https://limited.test/api/x").status for _ in range(40))
    # One and a burst of five; another for each minute that this may take.
    assert set(seen) == {200, 429} and 6 <= seen[200] <= 7, seen
    for number in range(20):
        assert front.ask(f"https://limited.test{PUBLISH}?channel=limited", "POST", body=b"%d" % number).status == 200
        assert stream.next() == str(number)
        socket.send(str(number))
        assert socket.next() == str(number)
        front.events(f"https://limited.test{EVENTS}").close()
        front.websocket("https://limited.test/ws").close()
    assert front.ask("https://limited.test/api/x").status == 429
    # Nor is the same service by another route.
    assert front.ask("https://self.test/api/x").status == 200
    stream.close()
    socket.close()
