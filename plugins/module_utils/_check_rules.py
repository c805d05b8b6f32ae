# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a check: the same rules for the declaration and for the module.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.portside.stack.plugins.module_utils._check_model import (
    ASKS,
    COMMON,
    KINDS,
    PORTS,
    QUEUE_OPTIONS,
    TYPES,
    Check,
    check_of,
    kind_of,
)
from ansible_collections.portside.stack.plugins.module_utils._check_place import place_of
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECURED = ("https", "wss")


class Flaw(t.NamedTuple):
    """One thing that is wrong: a text, or a ``name`` that is none of those ``known``."""

    text: str
    name: str = ""
    known: t.Tuple[str, ...] = ()


class Uses(t.NamedTuple):
    """A service that a check is about, by the key that names it."""

    key: str
    service: str


def flaws(check: t.Mapping[str, t.Any]) -> t.Iterator[Flaw]:
    """All that is wrong with one check, whose unset keys are left out."""
    if not isinstance(check.get("name"), str) or not check["name"]:
        yield Flaw("it has no name; add name: ...")
    for key in check:
        if key not in TYPES:
            yield Flaw("use " + ", ".join(TYPES), str(key), tuple(TYPES))
        elif not _RULES[key][0](check[key]):
            # Credentials may be in these, and nobody is to see them.
            hidden = key == "headers" or (key == "url" and "@" in str(check[key]))
            shown = "" if hidden else " " + _shown(check[key])
            yield Flaw("{0}{1} is not {2}".format(key, shown, _RULES[key][1]))
    asked = [key for key in ASKS if key in check]
    if len(asked) != 1:
        said = "asks for {0} at once; make a check of each".format(" and ".join(asked)) if asked else "asks for nothing; add one of " + ", ".join(ASKS)
        yield Flaw("it " + said)
        return
    yield from _of_kind(kind_of(check), asked[0], check)


def _of_kind(kind: str, asks: str, check: t.Mapping[str, t.Any]) -> t.Iterator[Flaw]:
    about = KINDS[kind]
    for key in check:
        if key in TYPES and key not in about.options and key not in COMMON:
            yield Flaw("{0} means nothing to a check of {1}; remove it, or use {2}".format(key, _title(kind), ", ".join(about.options)))
    for key in about.needs:
        if key not in check:
            yield Flaw("it has {0}, but no {1}; add {1}: ...".format(asks, key))
    if asks == "url" and _is_url(check["url"]) and urlsplit(check["url"]).scheme not in _SECURED:
        for key in ("verify", "certificate_days"):
            if key in check:
                yield Flaw("{0} is for https and wss, and the url has no certificate; remove it, or write https://".format(key))
    if kind == "queue" and isinstance(check["queue"], dict):
        yield from _of_queue(check["queue"])


def _of_queue(queue: t.Mapping[str, t.Any]) -> t.Iterator[Flaw]:
    for key, value in queue.items():
        if key not in QUEUE_OPTIONS:
            yield Flaw("use " + ", ".join(QUEUE_OPTIONS), str(key), QUEUE_OPTIONS)
        elif value is not None and not _QUEUE_RULES[key][0](value):
            yield Flaw("queue.{0} {1} is not {2}".format(key, _shown(value), _QUEUE_RULES[key][1]))
    if queue.get("redis") is None:
        yield Flaw("queue names no Redis; add redis: SERVICE")


def services_used(check: t.Mapping[str, t.Any]) -> t.List[Uses]:
    """The services that a check needs; what has the wrong shape needs none."""
    found = [Uses(key, check[key]) for key in ("container", "service", "celery") if _is_name(check.get(key))]
    queue = check.get("queue")
    places = [(key, check.get(key), PORTS.get(key)) for key in ("tcp", "address", *PORTS)]
    places.append(("queue.redis", queue.get("redis") if isinstance(queue, dict) else None, PORTS["redis"]))
    for key, text, port in places:
        place = place_of(text, port or 1)
        if place and place.service:
            found.append(Uses(key, place.service))
    return found


def parse(checks: t.Iterable[t.Mapping[str, t.Any]]) -> t.List[Check]:
    """The checks; whatever is wrong in them is raised at once."""
    problems, names, parsed = [], set(), []
    for given in checks:
        check = {key: value for key, value in given.items() if value is not None}
        where = "check {0!r}: ".format(check.get("name"))
        found = [flaw.text if not flaw.known else "{0!r} is not a key; {1}".format(flaw.name, flaw.text) for flaw in flaws(check)]
        if check.get("name") in names:
            found.append("is there twice: give every check its own name")
        names.add(check.get("name"))
        problems += [where + text for text in found]
        if not found:
            parsed.append(check_of(check))
    if problems:
        raise StackError("\n".join(problems))
    return parsed


def _shown(value: t.Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _title(kind: str) -> str:
    return {"http": "a url", "websocket": "a WebSocket", "events": "events"}.get(kind, kind)


def _is_url(url: t.Any) -> bool:
    """It is shown in errors, so it holds no credentials."""
    try:
        parts = urlsplit(url) if isinstance(url, str) and not re.search(r"\s", url) else None
        known = parts and parts.scheme in ("http", "https", "ws", "wss") and parts.hostname and parts.port != 0
        return bool(known) and "@" not in parts.netloc
    except ValueError:
        return False


def _is_whole(least: int, most: int) -> t.Callable[[t.Any], bool]:
    def judge(value: t.Any) -> bool:
        return not isinstance(value, bool) and bool(re.fullmatch(r"[0-9]{1,9}", str(value))) and least <= int(value) <= most

    return judge


def _is_seconds(value: t.Any) -> bool:
    try:
        return not isinstance(value, bool) and 0 < float(value) < float("inf")
    except (TypeError, ValueError):
        return False


def _is_pattern(value: t.Any) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


def _are_headers(value: t.Any) -> bool:
    """What a request's head would not survive is none: a name is a token, and a value has one line."""
    return isinstance(value, dict) and all(_TOKEN.fullmatch(str(name)) and not re.search(r"[\r\n\0]", str(item)) for name, item in value.items())


def _are_patterns(value: t.Any) -> bool:
    return isinstance(value, dict) and all(_TOKEN.fullmatch(str(name)) and _is_pattern(item) for name, item in value.items())


def _are_words(value: t.Any) -> bool:
    plain = isinstance(value, list) and all(isinstance(word, (str, int, float)) and not isinstance(word, bool) for word in value)
    return plain and bool(value) and bool(str(value[0]))


def _is_name(value: t.Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", value))


def _is_text(value: t.Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_truth(value: t.Any) -> bool:
    return isinstance(value, bool) or str(value).lower() in ("true", "false", "yes", "no", "on", "off")


_Rule = t.Tuple[t.Callable[[t.Any], bool], str]
_SECONDS = "a number of seconds; write {0}"
_PATTERN = "a regular expression; correct or quote it"
_SERVICE = "the name of a service"
_RULES: t.Dict[str, _Rule] = {
    "name": (lambda value: True, ""),
    "url": (_is_url, "an address that can be asked, without credentials; write http://127.0.0.1:8000/health, or ws:// for a WebSocket"),
    "method": (lambda value: isinstance(value, str) and bool(re.fullmatch(r"[A-Z]{1,20}", value)), "a method of HTTP; write GET"),
    "status": (_is_whole(100, 599), "an HTTP status; write 200"),
    "timeout": (_is_seconds, _SECONDS.format(5)),
    "interval": (_is_seconds, _SECONDS.format(1)),
    "deadline": (_is_seconds, _SECONDS.format(60)),
    "successes": (_is_whole(1, 1000), "how many times in a row it has to pass; write 1"),
    "headers": (_are_headers, "a mapping of headers; write {NAME: value}"),
    "body": (_is_pattern, _PATTERN),
    "location": (_is_pattern, _PATTERN),
    "response_headers": (_are_patterns, "a mapping of headers to regular expressions; write {NAME: 'pattern'}"),
    "certificate_days": (_is_whole(0, 100000), "a number of days; write 14"),
    "verify": (_is_truth, "true or false"),
    "address": (lambda value: place_of(value, 1) is not None, "where to connect to; write 127.0.0.1:8443 or SERVICE:8443"),
    "event": (_is_pattern, _PATTERN + ", or '' for any event"),
    "tcp": (lambda value: place_of(value) is not None, "where to connect to; write 127.0.0.1:8000 or SERVICE:8000"),
    "container": (_is_name, _SERVICE),
    "command": (_are_words, "a command; write [PROGRAM, ARGUMENT]"),
    "service": (_is_name, _SERVICE),
    "output": (_is_pattern, _PATTERN),
    "postgresql": (lambda value: place_of(value, PORTS["postgresql"]) is not None, "a server; write SERVICE, SERVICE:5432 or 10.0.0.5:5432"),
    "user": (_is_name, "the name of a login"),
    "database": (_is_name, "the name of a database"),
    "redis": (lambda value: place_of(value, PORTS["redis"]) is not None, "a server; write SERVICE, SERVICE:6379 or 10.0.0.5:6379"),
    "password_secret": (_is_name, "the name of a secret"),
    "celery": (_is_name, _SERVICE + " with workers"),
    "app": (_is_text, "the name of an application, as after celery -A"),
    "workers": (_is_whole(1, 10000), "a number of workers; write 1"),
    "queue": (lambda value: isinstance(value, dict), "a mapping; write {redis: SERVICE, name: celery, max: 100}"),
}
_QUEUE_RULES: t.Dict[str, _Rule] = {
    "redis": _RULES["redis"],
    "name": (_is_text, "the name of a queue; write celery"),
    "database": (_is_whole(0, 100000), "the number of a database; write 0"),
    "max": (_is_whole(0, 999999999), "a length; write 100"),
}
