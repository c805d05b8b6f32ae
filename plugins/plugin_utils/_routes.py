# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared list of routes, read.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _route_values as values
from ansible_collections.portside.stack.plugins.plugin_utils._report import did_you_mean
from ansible_collections.portside.stack.plugins.plugin_utils._route_expression import normal_regex
from ansible_collections.portside.stack.plugins.plugin_utils._route_language import TooCostly
from ansible_collections.portside.stack.plugins.plugin_utils._route_values import host_pattern, written

_PATHS = ("exact", "prefix", "regex", "path")
_TARGETS = ("service", "url", "redirect", "respond")
_KEYS = ("host",) + _PATHS + _TARGETS + ("stack", "port", "stream", "methods", "rate_limit", "max_body", "strip_prefix", "timeout")
# What is about requests that are sent on.
_SENT_ON = ("stream", "rate_limit", "max_body", "strip_prefix", "timeout")


class Route(t.NamedTuple):
    """A route; what is empty or 0 was not given."""

    index: int  # in the list, from 0
    host: str  # "" any, "example.com", "*.example.com"
    kind: str  # exact, prefix, regex
    path: str  # decoded; of a regex the pattern without anchors and captures
    service: str = ""
    stack: str = ""
    port: int = 0
    url: str = ""
    redirect: str = ""
    status: int = 0
    body: str = ""
    content_type: str = ""
    stream: str = ""
    methods: t.Tuple[str, ...] = ()
    rate: str = ""
    burst: int = 0
    max_body: str = ""
    strip_prefix: bool = False
    timeout: int = 0

    @property
    def target(self) -> str:
        """What answers, as people write it."""
        if self.service:
            return "{0}{1}:{2}".format(self.stack + "/" if self.stack else "", self.service, self.port)
        if self.redirect:
            return "redirect {0} to {1}".format(self.status, self.redirect)
        return self.url or "respond {0}".format(self.status)


class Problem(t.NamedTuple):
    """What is wrong with routes, or to be known about them."""

    routes: t.Tuple[int, ...]  # positions: the route itself, then those that cover it
    kind: str  # invalid, unknown, dead, ambiguous, undecided, overlap, normalised
    level: str  # error, warning
    message: str
    example: str = ""  # a request: host, if any certain one, and target


def parse_routes(given: t.Any) -> t.Tuple[t.List[Route], t.List[Problem]]:
    """The routes that are well-formed, and every problem of the others."""
    if given is None:
        return [], []
    if not isinstance(given, (list, tuple)):
        text = "routes: {0} is not a list; write one entry for each route, as in [{{prefix: /, service: api, port: 8000}}]."
        return [], [Problem((), "invalid", "error", text.format(written(given)))]
    readings = [_Reading(index, one) for index, one in enumerate(given)]
    return [one.route for one in readings if one.route], [problem for one in readings for problem in one.problems]


def described(route: Route) -> str:
    """The route as messages name it."""
    return _named(route.index, route.host, route.kind, written(route.path), route.target)


def route_table(routes: t.Sequence[Route]) -> t.List[str]:
    """The routes as they were understood, one a line."""
    rows = [("#", "host", "path", "target", "notes")]
    for route in routes:
        shape = "{0} {1}".format(route.kind, route.path)
        rows.append((str(route.index), route.host or "any", shape, route.target, ", ".join(_notes(route))))
    widths = [max(len(row[column]) for row in rows) for column in range(4)] + [0]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]


def _notes(route: Route) -> t.Iterator[str]:
    yield from filter(None, [route.stream, " ".join(route.methods)])
    if route.rate:
        yield "{0} burst {1}".format(route.rate, route.burst)
    if route.max_body:
        yield "max_body {0}".format(route.max_body)
    if route.strip_prefix:
        yield "strip_prefix"
    if route.timeout:
        yield "timeout {0} s".format(route.timeout)


def _named(index: int, host: str, kind: str, path: str, target: str) -> str:
    return "routes[{0}] ({1}{2} {3} -> {4})".format(index, "host {0}, ".format(host) if host else "", kind, path, target)


class _Reading:
    """One entry of the list: its route, or none, and its problems."""

    def __init__(self, index: int, given: t.Any) -> None:
        self.problems: t.List[Problem] = []
        self.route: t.Optional[Route] = None
        self._index = index
        if not isinstance(given, dict):
            text = "routes[{0}] ({1}): it is not a mapping; write {{prefix: /, service: api, port: 8000}}.".format(index, written(given))
            self.problems.append(Problem((index,), "invalid", "error", text))
            return
        # What is null was not given: Ansible fills in such keys.
        self._given = {key: value for key, value in given.items() if value is not None}
        self._name = self._first_name()
        # What is there, were it not for a slip of the pen: nothing else is told of it.
        self._meant = set(self._given)
        for key in self._given:
            if key not in _KEYS:
                self._meant.update(known for known in _KEYS if did_you_mean(key, [known]))
                self._add("{0} is not a key of a route; {1}".format(written(key), did_you_mean(key, _KEYS) or "use " + ", ".join(_KEYS)))
        found = {"index": index, "host": self._value("host", host_pattern, ""), **self._path(), **self._target(), **self._options()}
        if not any(problem.level == "error" for problem in self.problems):
            self.route = Route(**found)

    def _add(self, text: str, kind: str = "invalid", level: str = "error", example: str = "") -> None:
        self.problems.append(Problem((self._index,), kind, level, "{0}: {1}{2}".format(self._name, text, "" if text.endswith("?") else "."), example))

    def _first_name(self) -> str:
        given = self._given
        kind = next((key for key in _PATHS if key in given), "prefix")
        target = next((key for key in _TARGETS if key in given), "")
        value = written(given.get(target))
        text = "{0} {1}".format(target, value) if target else "nothing"
        if target in ("service", "url"):
            text = value.strip("'") + (":{0}".format(given.get("port", "?")) if target == "service" else "")
        host = written(given["host"]).strip("'") if "host" in given else ""
        return _named(self._index, host, kind, written(given.get(kind, "/")), text[:80])

    def _value(self, key: str, read: t.Callable[[t.Any], t.Any], default: t.Any) -> t.Any:
        """A value of the route, or its problem."""
        if key not in self._given:
            return default
        return self._read(read, self._given[key], default)

    def _read(self, read: t.Callable[[t.Any], t.Any], given: t.Any, default: t.Any, before: str = "") -> t.Any:
        try:
            found = read(given)
        except StackError as error:
            self._add(before + str(error))
            return default
        if read is host_pattern and found != given:
            self._add("host {0} is {1} in requests, and taken as that; write it so".format(written(given), written(found)), "normalised", "warning")
        return found

    def _path(self) -> t.Dict[str, t.Any]:
        keys = [key for key in _PATHS if key in self._given]
        if len(keys) > 1:
            self._add("it has {0}, and a route has one path; make a route of each".format(" and ".join(keys)))
        readers = {"exact": values.plain_path, "prefix": values.prefix_path, "path": values.glob_path, "regex": self._regex}
        found = {key: self._read(readers[key], self._given[key], "", key + ": ") for key in keys}
        key = keys[0] if keys else "prefix"
        path = found.get(key, "/")
        given = self._given.get(key)
        if key in ("prefix", "path") and path and given not in (path, None):
            meant = "all paths" if path == "/" else "{0} and what is below it".format(path) if path.endswith("/") else "{0} and {0}/..., not {0}x".format(path)
            if path.endswith("/") and path != "/":
                meant = "what is below {0}, not {1}".format(path, path[:-1])
            self._add("{0}: {1} is taken as prefix {2}: {3}".format(key, written(given), written(path), meant), "normalised", "warning", path)
        hint = "" if key == "regex" else values.placeholder_hint(path)
        if hint:
            self._add("{0}: {1}".format(key, hint), "normalised", "warning", path)
        return {"kind": "prefix" if key == "path" else key, "path": path}

    def _regex(self, given: t.Any) -> str:
        if not isinstance(given, str):
            raise StackError("{0} is not text; write it in quotes, such as '/files/[0-9]+'".format(written(given)))
        try:
            return normal_regex(given)
        except TooCostly:
            text = "regex: {0} is too large to decide what it shares with other routes; write + or * in the place of large counts, or use prefixes"
            self._add(text.format(written(given)), "undecided")
            return ""

    def _target(self) -> t.Dict[str, t.Any]:
        given = self._given
        keys = [key for key in _TARGETS if key in given]
        if len(keys) > 1:
            self._add("it has {0}, and a route has one target; leave out all but one".format(" and ".join(keys)))
        elif not self._meant.intersection(_TARGETS):
            self._add("it has no target; add service and port, url, redirect or respond")
        for key in ("port", "stack"):
            if key in given and keys and "service" not in self._meant:
                self._add("{0} belongs to a service, and it has none; add service, or put the port into the url".format(key))
        service = self._value("service", lambda value: values.name("service", value), "")
        if service and "port" not in self._meant:
            self._add("service {0} has no port; add the port that its container listens on, as in port: 8000".format(written(service)))
        found = {
            "service": service,
            "stack": self._value("stack", lambda value: values.name("stack", value), ""),
            "port": self._value("port", lambda value: values.number("port", value, 1, 65535), 0),
            "url": self._value("url", values.url, ""),
        }
        if "redirect" in given or "respond" in given:
            for key in _SENT_ON:
                if given.get(key) not in (None, False):
                    self._add("{0} is about requests that are sent on, and {1} sends none; leave {0} out".format(key, keys[0] if keys else ""))
        return {**found, **self._redirect(), **self._respond()}

    def _mapping(self, key: str, main: str, known: t.Tuple[str, ...]) -> t.Optional[t.Dict[str, t.Any]]:
        """A value that is a mapping, or its main part alone."""
        value = self._given.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            return {main: value}
        for one in value:
            if one not in known:
                self._add("{0} has the key {1}; {2}".format(key, written(one), did_you_mean(one, known) or "use " + ", ".join(known)))
        return {one: item for one, item in value.items() if item is not None}

    def _redirect(self) -> t.Dict[str, t.Any]:
        given = self._mapping("redirect", "to", ("to", "status"))
        if given is None:
            return {}
        if "to" not in given:
            self._add("redirect says not where to; write {to: 'https://example.com{uri}'}")
            return {}
        status = given.get("status", 308)
        if isinstance(status, bool) or str(status) not in map(str, values.REDIRECTS):
            self._add("redirect has the status {0}; use one of {1}".format(written(status), ", ".join(map(str, values.REDIRECTS))))
            status = 308
        return {"redirect": self._read(values.destination, given["to"], ""), "status": int(status)}

    def _respond(self) -> t.Dict[str, t.Any]:
        given = self._mapping("respond", "status", ("status", "body", "content_type"))
        if given is None:
            return {}
        if "status" not in given:
            self._add("respond has no status; write {status: 200, body: ...}")
            return {}
        status = self._read(lambda value: values.number("the status of respond", value, 200, 599), given["status"], 200)
        if 300 <= status < 400:
            self._add("respond has the status {0}, which leads elsewhere; use redirect".format(status))
        if status == 444:
            self._add("respond has the status 444, by which nginx only hangs up; use 404 or 403")
        if status in (204, 205) and given.get("body"):
            self._add("respond has the status {0}, which has no body; leave body out, or use 200".format(status))
        if "content_type" in given and not given.get("body"):
            self._add("respond has a content_type and no body; add body, or leave content_type out")
        text = self._read(values.body, given["body"], "") if "body" in given else ""
        return {"status": status, "body": text, "content_type": self._read(values.content_type, given["content_type"], "") if "content_type" in given else ""}

    def _prefix(self) -> t.Any:
        """The prefix as it was given, empty without one."""
        known = {"prefix", "path"}.intersection(self._meant)
        return "" if not known or "exact" in self._given or "regex" in self._given else self._given.get("prefix", self._given.get("path"))

    def _options(self) -> t.Dict[str, t.Any]:
        given = self._given
        found = {
            "stream": self._value("stream", values.stream, ""),
            "methods": self._value("methods", values.methods, ()),
            "max_body": self._value("max_body", lambda value: values.size("max_body", value), ""),
            "timeout": self._value("timeout", lambda value: values.number("timeout", value, 1, 604800), 0),
            "strip_prefix": given.get("strip_prefix", False),
        }
        if not isinstance(found["strip_prefix"], bool):
            self._add("strip_prefix {0} is not true or false; write true without quotes".format(written(found["strip_prefix"])))
        elif found["strip_prefix"] and self._prefix() in ("", "/", "/*", "*"):
            self._add("strip_prefix takes away a prefix, and it has none; write prefix: /..., or leave strip_prefix out")
        if found["stream"] == "websocket" and found["methods"] and "GET" not in found["methods"]:
            self._add("stream: websocket begins with a GET, which methods does not allow; add GET")
        rate_limit = self._mapping("rate_limit", "rate", ("rate", "burst"))
        key = "rate_limit.rate" if isinstance(given.get("rate_limit"), dict) else "rate_limit"
        if rate_limit is not None:
            found["rate"], found["burst"] = self._read(lambda value: values.rate(key, value), rate_limit.get("rate"), ("", 0))
            if "burst" in rate_limit:
                found["burst"] = self._read(lambda value: values.number("rate_limit.burst", value, 0, 100000), rate_limit["burst"], 0)
        return found
