# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check asks, and with which settings: the table of its kinds.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

# What every check may have.
COMMON = ("name", "timeout", "interval", "deadline", "successes")
_OF_ANY_URL = ("url", "headers", "verify", "certificate_days", "address")


class Kind(t.NamedTuple):
    """One kind of check: the key that asks for it, those that go with it, and how patient it is."""

    key: str
    options: t.Tuple[str, ...]
    needs: t.Tuple[str, ...] = ()
    timeout: float = 5.0
    interval: float = 1.0


KINDS: t.Dict[str, Kind] = {
    "http": Kind("url", (*_OF_ANY_URL, "method", "status", "body", "location", "response_headers")),
    "websocket": Kind("url", (*_OF_ANY_URL, "status")),
    # The first event may be long in coming.
    "events": Kind("url", (*_OF_ANY_URL, "event"), timeout=20.0),
    "tcp": Kind("tcp", ("tcp",)),
    "container": Kind("container", ("container",)),
    "command": Kind("command", ("command", "service", "output"), needs=("service",), timeout=15.0, interval=2.0),
    "postgresql": Kind("postgresql", ("postgresql", "user", "database")),
    "redis": Kind("redis", ("redis", "password_secret")),
    # A program of its own in the container, which loads the application first and then waits for answers.
    "celery": Kind("celery", ("celery", "app", "workers"), needs=("app",), timeout=20.0, interval=2.0),
    "queue": Kind("queue", ("queue", "password_secret")),
}
# The keys of which a check has one.
ASKS = tuple(dict.fromkeys(kind.key for kind in KINDS.values()))
QUEUE_OPTIONS = ("redis", "name", "database", "max")
DEFAULTS = {"method": "GET", "headers": {}, "verify": True, "response_headers": {}, "workers": 1, "successes": 1, "user": "portside", "database": "postgres"}
QUEUE_DEFAULTS = {"name": "celery", "database": 0, "max": 100}
# What a check without one of these says: 200, or what it says otherwise.
REDIRECTS = (301, 302, 303, 307, 308)
PORTS = {"postgresql": 5432, "redis": 6379}


def _texts(given: t.Mapping[str, t.Any]) -> t.Dict[str, str]:
    return {str(name): str(value) for name, value in given.items() if value is not None}


def _queue(given: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    types = {"redis": str, "name": str, "database": int, "max": int}
    return {key: types[key](value) for key, value in given.items() if value is not None}


def _truth(value: t.Any) -> bool:
    return value if isinstance(value, bool) else str(value).lower() in ("true", "yes", "on", "1")


# Every key, and what makes its value one of its own type: YAML and templates may have it as text.
TYPES: t.Dict[str, t.Callable[[t.Any], t.Any]] = {
    "name": str,
    "url": str,
    "method": str,
    "status": int,
    "timeout": float,
    "interval": float,
    "deadline": float,
    "successes": int,
    "headers": _texts,
    "body": str,
    "location": str,
    "response_headers": _texts,
    "certificate_days": int,
    "verify": _truth,
    "address": str,
    "event": str,
    "tcp": str,
    "container": str,
    "command": lambda words: [str(word) for word in words],
    "service": str,
    "output": str,
    "postgresql": str,
    "user": str,
    "database": str,
    "redis": str,
    "password_secret": str,
    "celery": str,
    "app": str,
    "workers": int,
    "queue": _queue,
}


def typed(check: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """The keys that are set, each of its own type."""
    return {key: convert(check[key]) for key, convert in TYPES.items() if check.get(key) is not None}


def kind_of(check: t.Mapping[str, t.Any]) -> str:
    """Which kind it is; empty where it asks for nothing, or for several things."""
    asked = [key for key in ASKS if check.get(key) is not None]
    if len(asked) != 1:
        return ""
    if asked[0] != "url":
        return asked[0]
    if str(check["url"]).startswith(("ws://", "wss://")):
        return "websocket"
    return "http" if check.get("event") is None else "events"


class Check(t.NamedTuple):
    """A check without problems; ``options`` are those of its kind, with their defaults."""

    name: str
    kind: str
    options: t.Mapping[str, t.Any]
    timeout: float
    interval: float
    successes: int = 1
    deadline: t.Optional[float] = None

    @property
    def what(self) -> str:
        """What is asked, as errors say it."""
        if self.kind in ("http", "websocket", "events"):
            return self.options["url"]
        if self.kind == "queue":
            return "queue {0} in {1}".format(self.options["queue"]["name"], self.options["queue"]["redis"])
        if self.kind == "command":
            return "command {0} in {1}".format(self.options["command"][0], self.options["service"])
        return "{0} {1}".format(self.kind, self.options[self.kind])


def check_of(given: t.Mapping[str, t.Any]) -> Check:
    """The check that is declared so; it has no problems."""
    found = typed(given)
    kind = kind_of(found)
    about = KINDS[kind]
    options = {key: DEFAULTS[key] for key in about.options if key in DEFAULTS}
    options.update((key, value) for key, value in found.items() if key in about.options)
    if kind == "queue":
        options["queue"] = dict(QUEUE_DEFAULTS, **options["queue"])
    return Check(
        found["name"],
        kind,
        options,
        found.get("timeout", about.timeout),
        found.get("interval", about.interval),
        found.get("successes", DEFAULTS["successes"]),
        found.get("deadline"),
    )
