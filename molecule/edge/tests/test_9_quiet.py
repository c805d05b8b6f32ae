"""What was opened first and heard of last; and the host after a reboot, which pebble forgets everything in: nothing comes after it."""

from __future__ import annotations

import time

import pytest
from deploys import HOST, bed
from edges import QUIET, eventually


def test_streams_on_which_nobody_said_anything_are_there_still(front, quiet):
    # No condition to wait for: the time itself is what they have to survive.
    time.sleep(max(0.0, quiet.since + QUIET - time.monotonic()))
    assert front.ask("https://self.test/api/v1/mentor/stream/publish?channel=quiet", "POST", body=b"at last").told["listeners"] == 1
    assert quiet.events.next() == "at last"
    assert front.ask("https://self.test/ws/publish?channel=quiet", "POST", body=b"at last").told["listeners"] == 1
    assert quiet.websocket.next() == "at last"
    quiet.websocket.send("and back")
    assert quiet.websocket.next() == "and back"


def test_so_is_the_one_through_a_tunnel(hidden, tunnelled):
    assert hidden.ask("http://hidden.test/publish?channel=quiet", "POST", body=b"at last").told["listeners"] == 1
    assert tunnelled.next() == "at last"


@pytest.mark.slow
def test_everything_is_served_after_a_reboot(site, front):
    bed("reboot", HOST)

    def served() -> bool:
        try:
            return front.ask("https://self.test/ws").status == 200 and front.ask("https://lcl.example.com/api/").status == 200
        except OSError:
            return False

    eventually("the edge serves", served, 60)
    assert front.ask("https://lcl.example.com/").service == "example-web:3000"
    eventually("the tunnel serves", lambda: site.containers()["tunnel/edge"]["State"]["Health"]["Status"] == "healthy", 60)
    assert site.tunnel().ask("http://self.test/ws").service == "realtime:8001"
