# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._start_chart import chart
from hypothesis import given
from hypothesis import strategies as st


def one(name, begun, up, *waits, action="create", state="healthy"):
    found = [{"service": service, "condition": "service_healthy", "seconds": seconds} for service, seconds in waits]
    return {"service": name, "action": action, "reason": "x", "begun": begun, "up": up, "state": state, "waited_for": found}


def test_the_chart_of_a_start():
    services = [
        one("db", 0.0, 5.0),
        one("migrate", 5.0, 10.0, ("db", 5.0), action="run", state="completed"),
        one("backend", 10.0, 15.0, ("migrate", 10.0), ("redis", 2.0)),
    ]
    assert chart({"recorded": "", "seconds": 20.0, "services": services}) == [
        "start: . waits   # starts   - is up",
        "db       ########----------------------    5.0 s",
        "migrate  .......########                  10.0 s  waited for db 5.0 s",
        "backend  ...............########-------   15.0 s  waited for migrate 10.0 s, redis 2.0 s",
        "total 20.0 s, 3 of 3 up",
    ]


def test_the_chart_of_a_start_that_failed():
    services = [one("db", 0.0, None, state="unhealthy"), one("api", None, None, ("db", 9.0), state="not started")]
    assert chart({"recorded": "", "seconds": 9.0, "services": services})[1:] == [
        "db   ##############################   NOT UP  unhealthy",
        "api  ..............................   NOT UP  not started; waited for db 9.0 s",
        "total 9.0 s, 0 of 2 up; not up: db, api",
    ]


NAMES = st.text("abcdefghij-_.", min_size=1, max_size=60)
SECONDS = st.floats(0, 500).map(lambda seconds: round(seconds, 1))


@st.composite
def records(draw):
    services = []
    for name in draw(st.lists(NAMES, min_size=1, max_size=9, unique=True)):
        begun = draw(st.none() | SECONDS)
        up = None if begun is None else draw(st.none() | SECONDS.map(lambda more, begun=begun: begun + more))
        waits = draw(st.lists(st.tuples(NAMES, SECONDS), max_size=4))
        services.append(one(name, begun, up, *waits, action=draw(st.sampled_from(["create", "run"])), state="x" * draw(st.integers(0, 40))))
    return {"recorded": "", "seconds": draw(SECONDS), "services": services}


@given(records(), st.integers(72, 160))
def test_any_chart_has_each_service_once_and_is_never_wider(record, width):
    lines = chart(record, width)
    assert all(len(line) <= width and line.isascii() for line in lines)
    names = max(min(len(service["service"]), 20) for service in record["services"])
    assert len(lines) == len(record["services"]) + 2
    for line, service in zip(lines[1:-1], record["services"]):
        name, bar = line[:names].rstrip(), line[names + 2 : names + 32]
        assert name == service["service"] or (name.endswith("..") and service["service"].startswith(name[:-2]))
        assert len(bar) == 30
        waits, starts, after = bar.count("."), bar.count("#"), bar[-1]
        assert bar == "." * waits + "#" * starts + after * (30 - waits - starts)
        assert (starts == 0) == (service["begun"] is None)
        assert service["up"] is not None or after in ".#"


@given(records())
def test_what_began_later_is_never_drawn_earlier(record):
    begun = [(service["begun"], line) for service, line in zip(record["services"], chart(record)[1:-1]) if service["begun"] is not None]
    drawn = [line.find("#") for _at, line in sorted(begun)]
    assert drawn == sorted(drawn)
