# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of a route: each one as it is used, or StackError with why not and what to write.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from urllib.parse import unquote

from ansible_collections.portside.stack.plugins.module_utils._edge_places import CHALLENGES, OWN
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import value as word
from ansible_collections.portside.stack.plugins.plugin_utils._report import did_you_mean, shown

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK")
STREAMS = ("websocket", "sse")
REDIRECTS = (301, 302, 303, 307, 308)
RESERVED = (CHALLENGES.rstrip("/"), OWN.rstrip("/"))
_LONGEST = 1000
# An empty segment, or . or .. as one, which programs resolve, some only once they have taken off the parameters behind a ;.
UNRESOLVED = re.compile(r"//|/;[^/]*/|/\.\.?(?:[/;]|\Z)")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# IDNA 2003, which Python has, and IDNA 2008 give these other forms.
_DEVIATING = re.compile("[\u00df\u03c2\u200c\u200d]")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_STACK = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_TO = re.compile(r"(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(?![^/?#{])|/(?![/\\]|\{uri\})).*")
_TO_CHARS = re.compile(r"([A-Za-z0-9/:?#\[\]@!&()*+,;=._~-]|%[0-9A-Fa-f]{2})*")
_TYPE = re.compile(r"[A-Za-z0-9!#&^_.+-]+/[A-Za-z0-9!#&^_.+-]+(; ?charset=[A-Za-z0-9_-]+)?")
_RATE = re.compile(r"([1-9][0-9]{0,5})r/[sm]")
_SIZE = re.compile(r"0|([1-9][0-9]{0,6})[kmg]")


def host_pattern(given: t.Any) -> str:
    """A host name or ``*.`` and one, in lower case and as DNS has it."""
    if not isinstance(given, str):
        raise StackError("host {0} is not text; write a name such as example.com".format(shown(given)))
    if given in ("", "*"):
        raise StackError("host {0} names no host; leave it out for any host".format(shown(given)))
    star, name = (given[:2], given[2:]) if given.startswith("*.") else ("", given)
    if "://" in name or "/" in name:
        raise StackError("host {0} has a scheme or a path; write the name alone".format(shown(given)))
    if ":" in name:
        raise StackError("host {0} has a port or is an IPv6 address; write the name alone, a route answers on every port of the edge".format(shown(given)))
    if "*" in name:
        raise StackError("host {0} has a star elsewhere than in front of a dot; write *.example.com, or each name in a route of its own".format(shown(given)))
    if _DEVIATING.search(name):
        raise StackError("host {0} has a character that standards encode in two ways; write the form with xn-- that was registered".format(shown(given)))
    name = name[:-1] if name.endswith(".") else name
    try:
        encoded = name.lower() if name.isascii() else name.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise StackError("host {0} is no name in DNS ({1}); write the form with xn--".format(shown(given), error)) from error
    if len(encoded) > 253 or not all(_LABEL.fullmatch(label) for label in encoded.split(".")):
        raise StackError("host {0} is no name in DNS; write letters, digits and - between dots, at most 63 of them".format(shown(given)))
    return star + encoded


def plain_path(given: t.Any) -> str:
    """A path as it is after decoding, which both programs compare byte by byte."""
    if not isinstance(given, str):
        raise StackError("{0} is not text; write it in quotes, with / in front, such as \"/{1}\"".format(shown(given), "x" if given is None else given))
    if not given:
        raise StackError("it is empty; write / for all paths")
    if not given.startswith("/"):
        hint = "the name goes into `host`, the path begins with /" if "://" in given else "write '/{0}'".format(given[:60])
        if "*" in given[:-1]:
            hint = "write {0}".format(_as_regex("/" + given))
        raise StackError("{0} does not begin with a slash; {1}".format(shown(given), hint))
    if "%" in given:
        raise StackError("{0} is encoded, and paths are compared decoded; write {1}".format(shown(given), shown(unquote(given).replace("%", ""))))
    for char, what in (("?", "the query"), ("#", "the fragment")):
        if char in given:
            raise StackError("{0} has {1}, by which nothing is routed; leave out {2} and what follows".format(shown(given), char, what))
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in given):
        raise StackError("{0} has a control character, which is refused with 400; leave it out (a text block of YAML ends with one)".format(shown(given)))
    if any(char == "\ufffd" or 0xD800 <= ord(char) < 0xE000 for char in given):
        raise StackError("{0} has a character that stands for broken text; save the declaration as UTF-8".format(shown(given)))
    if "\\" in given:
        raise StackError("{0} has a backslash, which is refused with 400, as some programs take it for a slash; write / or leave it out".format(shown(given)))
    if UNRESOLVED.search(given):
        text = "{0} has an empty, . or .. segment, perhaps with a ; behind it, which is refused with 400; write the path without"
        raise StackError(text.format(shown(given)))
    if len(given) > _LONGEST:
        raise StackError("it is longer than {0} characters; use a shorter prefix".format(_LONGEST))
    if any(given == place or given.startswith(place + "/") for place in RESERVED):
        raise StackError("{0} is answered by the edge itself; use another path than {1}".format(shown(given), " and ".join(RESERVED)))
    if "*" in given:
        raise StackError("{0} has a star elsewhere than at the end of a prefix; write a prefix without it, or {1}".format(shown(given), _as_regex(given)))
    return given


def _as_regex(given: str) -> str:
    """What a path with stars inside most probably means, each a part of one segment."""
    segments = [re.sub(r"[.+?()\[\]{}|^$]", r"\\\g<0>", segment) for segment in given.rstrip("*").split("/")]
    text = "/".join("[^/]+" if set(one) == {"*"} else re.sub(r"\*+", "[^/]*", one) for one in segments)
    return "regex: {0}".format(shown(text + ".*") if given.endswith("*") else shown(text) + ", with (/.*)? behind it for what is below")


def prefix_path(given: t.Any) -> str:
    """A prefix; the globs of people are taken for what they mean by them."""
    if isinstance(given, str) and given.endswith("*") and "*" not in given[:-1]:
        return "/" if given in ("*", "/*") else plain_path(given[:-1])
    return plain_path(given)


def glob_path(given: t.Any) -> str:
    """What documents write with a star at the end, as a prefix."""
    if isinstance(given, str) and given and "*" not in given:
        raise StackError("{0} does not say whether what is below it is meant; write `exact` or `prefix` in the place of `path`".format(shown(given)))
    return prefix_path(given)


def number(key: str, given: t.Any, least: int, most: int) -> int:
    """A whole number, also as text of digits."""
    text = str(given) if isinstance(given, (int, str)) and not isinstance(given, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise StackError("{0} {1} is no such number; write one from {2} to {3}".format(key, shown(given), least, most))
    return int(text)


def name(key: str, given: t.Any) -> str:
    """The name of a service or a stack."""
    if not isinstance(given, str) or not (_STACK if key == "stack" else _SERVICE).fullmatch(given):
        raise StackError("{0} {1} is not a name; write that of a {0}, in quotes if it is a number, the port goes into `port`".format(key, shown(given)))
    return given


def url(given: t.Any) -> str:
    """Where a service outside of Docker is: scheme, host and port."""
    found = _URL.fullmatch(given) if isinstance(given, str) else None
    if not found:
        hint = "write http:// or https://, a host and perhaps a port, without path, query and user"
        raise StackError("url {0} is not where a service is; {1}".format(shown(given), hint))
    scheme, host, port = found.groups()
    if host.startswith("["):
        try:
            host = "[{0}]".format(ipaddress.IPv6Address(host[1:-1]))
        except ValueError as error:
            raise StackError("url {0} has no IPv6 address in [ ] ({1}); write one such as http://[fd00::1]:8080".format(shown(given), error)) from error
    else:
        host = host_pattern(host)
        if host.startswith("*"):
            raise StackError("url {0} has a star; write the one host that is asked".format(shown(given)))
    return "{0}://{1}{2}".format(scheme.lower(), host, ":{0}".format(number("the port of url", port, 1, 65535)) if port else "")


def destination(given: t.Any) -> str:
    """Where a redirect goes; {uri} in it is path and query of the request."""
    if not isinstance(given, str) or not given:
        raise StackError("redirect {0} says not where to; write {{to: \"https://example.com{{uri}}\"}}".format(shown(given)))
    parts = given.split("{uri}")
    if len(parts) > 2 or not all(_TO_CHARS.fullmatch(part) for part in parts):
        hint = "write a URL as it stands in a header, others encoded as in %24, and {uri} once for path and query of the request"
        raise StackError("redirect {0} has a character that a URL or nginx cannot hold; {1}".format(shown(given), hint))
    if len(given) > _LONGEST or not _TO.fullmatch(given):
        hint = "write a path that begins with one /, or https:// and a host that ends before {uri}, or others could choose where it leads"
        raise StackError("redirect {0} leads to no certain host; {1}".format(shown(given), hint))
    return given


def body(given: t.Any) -> str:
    """The text of a static response, as nginx's configuration can hold it."""
    if not isinstance(given, str):
        raise StackError("body {0} is not text; write it in quotes".format(shown(given)))
    if any(ord(char) < 0x20 and char not in "\n\t" or ord(char) == 0x7F for char in given):
        raise StackError("body has a control character, which nginx would not send as it is; leave it out, or serve it by a service")
    try:
        word(given)
    except StackError as error:
        raise StackError("body {0}".format(error)) from error
    return given


def content_type(given: t.Any) -> str:
    if not isinstance(given, str) or not _TYPE.fullmatch(given):
        raise StackError("content_type {0} is none; write one such as text/html".format(shown(given)))
    return given


def methods(given: t.Any) -> t.Tuple[str, ...]:
    """The methods that are allowed, HEAD with GET."""
    if not isinstance(given, (list, tuple)) or not given:
        raise StackError("methods {0} is not a list of methods; write [GET, POST], or leave it out for all".format(shown(given)))
    found: t.List[str] = []
    for one in given:
        if one not in METHODS:
            guess = did_you_mean(one.upper() if isinstance(one, str) else one, METHODS)
            raise StackError("methods has {0}, which is not one that can be allowed; {1}".format(shown(one), guess or "use some of " + ", ".join(METHODS)))
        found += ["GET", "HEAD"] if one == "GET" else [one]
    return tuple(dict.fromkeys(found))


def stream(given: t.Any) -> str:
    if given not in STREAMS:
        hint = did_you_mean(given, STREAMS) or "use websocket or sse, or leave it out"
        raise StackError("stream {0} is not a kind of stream; {1}".format(shown(given), hint))
    return str(given)


def rate(key: str, given: t.Any) -> t.Tuple[str, int]:
    """The rate as nginx has it, and the burst that is its own number."""
    found = _RATE.fullmatch(given) if isinstance(given, str) else None
    if not found:
        raise StackError("{0} {1} is not a rate; write {0}: 10r/s (ten a second) or 30r/m (thirty a minute)".format(key, shown(given)))
    return found.group(), int(found.group(1))


def size(key: str, given: t.Any) -> str:
    """A size as nginx has it."""
    text = str(given).lower() if isinstance(given, (int, str)) and not isinstance(given, bool) else ""
    if not _SIZE.fullmatch(text):
        raise StackError("{0} {1} is not a size; write digits and k, m or g such as 200m, or \"0\" for no limit".format(key, shown(given)))
    return text
