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
# A part that varies, as frameworks write it: /users/{id}, /users/:id, /users/<int:id>, /blog/[slug].
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|<[^<>]*>|\[[^\[\]]*\]|:[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = re.compile(r"[.*+?()\[\]{}|^$]")
_NAMED_FIRST = re.compile(r"[^/]*://|[A-Za-z0-9*-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(:[0-9]+)?/")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# IDNA 2003, which Python has, and IDNA 2008 give these other forms.
_DEVIATING = re.compile("[\u00df\u03c2\u200c\u200d]")
_USER = re.compile(r"//[^/?#\s]*@")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_STACK = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_TO = re.compile(r"(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(?![^/?#{])|/(?![/\\]|\{uri\})).*")
_TO_CHARS = re.compile(r"([A-Za-z0-9/:?#\[\]@!&()*+,;=._~-]|%[0-9A-Fa-f]{2})*")
_TYPE = re.compile(r"[A-Za-z0-9!#&^_.+-]+/[A-Za-z0-9!#&^_.+-]+(; ?charset=[A-Za-z0-9_-]+)?")
_RATE = re.compile(r"([1-9][0-9]{0,5})r/[sm]")
_SIZE = re.compile(r"0|([1-9][0-9]{0,6})[kmg]")


def written(value: t.Any) -> str:
    """A value as it stands in YAML, short enough for a sentence, without what a URL has of a user."""
    if value is None:
        return "null"
    if not isinstance(value, str):
        return _USER.sub("//...@", shown(value))
    value = _USER.sub("//...@", value)
    text = _quoted(value) if value.isprintable() else shown(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _quoted(text: str) -> str:
    return "'{0}'".format(text.replace("'", "''"))


def host_pattern(given: t.Any) -> str:
    """A host name or ``*.`` and one, in lower case and as DNS has it."""
    if not isinstance(given, str):
        hint = "make a route of each name" if isinstance(given, (list, tuple)) else "write a name such as example.com"
        raise StackError("host {0} is not text; {1}".format(written(given), hint))
    if given in ("", "*", "_"):
        raise StackError("host {0} names no host; leave it out for any host".format(written(given)))
    star, name = (given[:2], given[2:]) if given.startswith("*.") else ("", given)
    if "://" in name or "/" in name:
        raise StackError("host {0} has a scheme or a path; write the name alone".format(written(given)))
    if ":" in name:
        raise StackError("host {0} has a port or is an IPv6 address; write the name alone, a route answers on every port of the edge".format(written(given)))
    if "*" in name:
        raise StackError("host {0} has a star elsewhere than in front of a dot; write *.example.com, or each name in a route of its own".format(written(given)))
    if _DEVIATING.search(name):
        raise StackError("host {0} has a character that standards encode in two ways; write the form with xn-- that was registered".format(written(given)))
    if re.search(r"[\s,]", name.strip()):
        raise StackError("host {0} has several names; make a route of each".format(written(given)))
    if name.startswith("."):
        raise StackError("host {0} begins with a dot; write *{1} for what is below, and {2} in a route of its own".format(written(given), name, name[1:]))
    name = name[:-1] if name.endswith(".") else name
    try:
        encoded = name.lower() if name.isascii() else name.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise StackError("host {0} is no name in DNS ({1}); write the form with xn--".format(written(given), error)) from error
    if len(encoded) > 253 or not all(_LABEL.fullmatch(label) for label in encoded.split(".")):
        raise StackError("host {0} is no name in DNS; write letters, digits and - between dots, at most 63 of them".format(written(given)))
    return star + encoded


def plain_path(given: t.Any) -> str:
    """A path as it is after decoding, which both programs compare byte by byte."""
    if not isinstance(given, str):
        is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
        hint = "write it in quotes, with / in front, such as '/{0}'".format(given if is_number else "api")
        raise StackError("{0} is not text; {1}".format(written(given), "make a route of each path" if isinstance(given, (list, tuple)) else hint))
    if not given:
        raise StackError("it is empty; write / for all paths")
    if not given.startswith("/"):
        raise StackError("{0} does not begin with a slash; {1}".format(written(given), _slash_hint(given)))
    for char, what in (("?", "the query"), ("#", "the fragment")):
        if char in given:
            raise StackError("{0} has {1}, by which nothing is routed; leave out {2} and what follows".format(written(given), char, what))
    decoded = unquote(given)
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in decoded):
        raise StackError("{0} has a control character, which is refused with 400; leave it out (a text block of YAML ends with one)".format(written(given)))
    if any(char == "\ufffd" or 0xD800 <= ord(char) < 0xE000 for char in decoded):
        raise StackError("{0} has a character that stands for broken text; save the declaration as UTF-8".format(written(given)))
    if "\\" in decoded:
        raise StackError("{0} has a backslash, which is refused with 400, as some programs take it for a slash; write / or leave it out".format(written(given)))
    if UNRESOLVED.search(decoded):
        text = "{0} has an empty, . or .. segment, perhaps with a ; behind it, which is refused with 400; write the path without"
        raise StackError(text.format(written(given)))
    if "%" in given:
        hint = _as_regex(_literal(decoded)) if re.search("[%?#*]", decoded) else written(decoded)
        raise StackError("{0} is encoded, and paths are compared decoded; write {1}".format(written(given), hint))
    if given != given.rstrip():
        raise StackError("{0} ends with a blank; take it out".format(written(given)))
    if len(given) > _LONGEST:
        raise StackError("it is longer than {0} characters; use a shorter prefix".format(_LONGEST))
    if any(given == place or given.startswith(place + "/") for place in RESERVED):
        raise StackError("{0} is answered by the edge itself; use another path than {1}".format(written(given), " and ".join(RESERVED)))
    if "*" in given:
        text = "{0} has a star elsewhere than at the end of a prefix; write a prefix without it, or {1}"
        raise StackError(text.format(written(given), _as_regex(_stars_as_regex(given))))
    return given


def placeholder_hint(path: str) -> str:
    """What to write where a path seems to have a part that varies; empty for others."""
    segments = path.split("/")
    varying = [segment for segment in segments if _PLACEHOLDER.fullmatch(segment)]
    if not varying:
        return ""
    regex = "/".join("[^/]+" if segment in varying else _literal(segment) for segment in segments)
    return "{0} is taken for these very characters; where it is a part that varies, write {1}".format(varying[0], _as_regex(regex))


def _slash_hint(given: str) -> str:
    """What a path was meant to be that begins with something else than a slash."""
    if _NAMED_FIRST.match(given):
        return "the name goes into `host`, the path begins with /"
    if given[0] in "^~":
        return "for a regular expression write regex: '/...', which is matched against the whole path"
    path = re.sub(r"\A\s*(\.?/)?", "/", given)
    return "write {0}".format(_as_regex(_stars_as_regex(path)) if "*" in path[:-1] else written(path))


def _as_regex(regex: str) -> str:
    regex += ".*" if regex.endswith("/") else ""
    return "regex: {0}{1}".format(_quoted(regex), "" if regex.endswith(".*") else ", with (/.*)? behind it for what is below")


def _literal(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)


def _stars_as_regex(given: str) -> str:
    """What a path with stars inside most probably means, each a part of one segment."""
    segments = [_literal(segment).replace("\\*", "*") for segment in given.rstrip("*").split("/")]
    text = "/".join("[^/]+" if set(one) == {"*"} else re.sub(r"\*+", "[^/]*", one) for one in segments)
    return text + ".*" if given.endswith("*") else text


def prefix_path(given: t.Any) -> str:
    """A prefix; the globs of people are taken for what they mean by them."""
    if given == "*":
        return "/"
    is_glob = isinstance(given, str) and given.startswith("/") and given.endswith("*") and "*" not in given[:-1]
    return plain_path(given[:-1] if is_glob else given)


def glob_path(given: t.Any) -> str:
    """What documents write with a star at the end, as a prefix."""
    if isinstance(given, str) and given and "*" not in given:
        raise StackError("{0} does not say whether what is below it is meant; write `exact` or `prefix` in the place of `path`".format(written(given)))
    return prefix_path(given)


def number(key: str, given: t.Any, least: int, most: int) -> int:
    """A whole number, also as text of digits."""
    text = str(given) if isinstance(given, (int, str)) and not isinstance(given, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise StackError("{0} {1} is not a whole number from {2} to {3}; write one in digits alone".format(key, written(given), least, most))
    return int(text)


def name(key: str, given: t.Any) -> str:
    """The name of a service or a stack."""
    if not isinstance(given, str) or not (_STACK if key == "stack" else _SERVICE).fullmatch(given):
        parts = re.fullmatch(r"(?:([^/:]*)/)?([^/:]+)(?::([0-9]+))?", given) if isinstance(given, str) and key == "service" else None
        hint = "write that of a {0}, in quotes if it is a number".format(key)
        if parts and (parts.group(1) or parts.group(3)):
            keys = zip(("stack", "service", "port"), parts.groups())
            hint = "write {0}".format(", ".join("{0}: {1}".format(one, part) for one, part in keys if part))
        elif "://" in str(given):
            hint = "write url: in its place, or the name of a service and its port"
        raise StackError("{0} {1} is not a name; {2}".format(key, written(given), hint))
    return given


def url(given: t.Any) -> str:
    """Where a service outside of Docker is: scheme, host and port."""
    found = _URL.fullmatch(given) if isinstance(given, str) else None
    if not found:
        hint = "write http:// or https://, a host and perhaps a port, without path, query and user"
        raise StackError("url {0} is not where a service is; {1}".format(written(given), hint))
    scheme, host, port = found.groups()
    if host.startswith("["):
        try:
            host = "[{0}]".format(ipaddress.IPv6Address(host[1:-1]))
        except ValueError as error:
            raise StackError("url {0} has no IPv6 address in [ ] ({1}); write one such as http://[fd00::1]:8080".format(written(given), error)) from error
    else:
        host = host_pattern(host)
        if host.startswith("*"):
            raise StackError("url {0} has a star; write the one host that is asked".format(written(given)))
    return "{0}://{1}{2}".format(scheme.lower(), host, ":{0}".format(number("the port of url", port, 1, 65535)) if port else "")


def destination(given: t.Any) -> str:
    """Where a redirect goes; {uri} in it is path and query of the request."""
    if not isinstance(given, str) or not given:
        raise StackError("redirect {0} says not where to; write a path or a URL such as 'https://example.com{{uri}}'".format(written(given)))
    parts = given.split("{uri}")
    if len(parts) > 2 or not all(_TO_CHARS.fullmatch(part) for part in parts):
        hint = "write a URL as it stands in a header, others encoded as in %24, and {uri} once for path and query of the request"
        raise StackError("redirect {0} has a character that a URL or nginx cannot hold; {1}".format(written(given), hint))
    if len(given) > _LONGEST or not _TO.fullmatch(given):
        hint = "write a path that begins with one /, or https:// and a host that ends before {uri}, or others could choose where it leads"
        raise StackError("redirect {0} leads to no certain host; {1}".format(written(given), hint))
    return given


def body(given: t.Any) -> str:
    """The text of a static response, as nginx's configuration can hold it."""
    if not isinstance(given, str):
        raise StackError("body {0} is not text; write it in quotes".format(written(given)))
    if any(ord(char) < 0x20 and char not in "\n\t" or ord(char) == 0x7F for char in given):
        raise StackError("body has a control character, which nginx would not send as it is; leave it out, or serve it by a service")
    try:
        word(given)
    except StackError as error:
        raise StackError("body {0}".format(error)) from error
    return given


def content_type(given: t.Any) -> str:
    if not isinstance(given, str) or not _TYPE.fullmatch(given):
        raise StackError("content_type {0} is none; write one such as text/html".format(written(given)))
    return given


def methods(given: t.Any) -> t.Tuple[str, ...]:
    """The methods that are allowed, HEAD with GET."""
    if not isinstance(given, (list, tuple)) or not given:
        raise StackError("methods {0} is not a list of methods; write [GET, POST], or leave it out for all".format(written(given)))
    found: t.List[str] = []
    for one in given:
        if one not in METHODS:
            guess = did_you_mean(one.upper() if isinstance(one, str) else one, METHODS)
            raise StackError("methods has {0}, which is not one that can be allowed; {1}".format(written(one), guess or "use some of " + ", ".join(METHODS)))
        found += ["GET", "HEAD"] if one == "GET" else [one]
    return tuple(dict.fromkeys(found))


def stream(given: t.Any) -> str:
    if given not in STREAMS:
        hint = did_you_mean(given, STREAMS) or "use websocket or sse, or leave it out"
        raise StackError("stream {0} is not a kind of stream; {1}".format(written(given), hint))
    return str(given)


def rate(key: str, given: t.Any) -> t.Tuple[str, int]:
    """The rate as nginx has it, and the burst that is its own number."""
    found = _RATE.fullmatch(given) if isinstance(given, str) else None
    if not found:
        text = "{0} {1} is not a rate; write {0}: 10r/s (ten a second) or 30r/m (thirty a minute), or leave rate_limit out"
        raise StackError(text.format(key, written(given)))
    return found.group(), int(found.group(1))


def size(key: str, given: t.Any) -> str:
    """A size as nginx has it."""
    text = str(given).lower() if isinstance(given, (int, str)) and not isinstance(given, bool) else ""
    if not _SIZE.fullmatch(text):
        raise StackError('{0} {1} is not a size; write digits and k, m or g such as 200m, or "0" for no limit'.format(key, written(given)))
    return text
