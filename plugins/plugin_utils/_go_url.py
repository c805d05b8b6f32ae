# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs as Go's net/url takes them apart: what it refuses, cloudflared refuses too.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2}).{0,2}", re.S)
_NO_HOST = re.compile(r"[\x00-\x20#%/?@\\^`{|}\x7f]")
_PORT = re.compile("(?::[0-9]*)?")


class BadUrl(Exception):
    """Go refuses the URL; the text is what it says."""


class Url(t.NamedTuple):
    scheme: str
    user: str
    host: str  # without port and brackets
    port: str
    path: str
    query: str
    fragment: str


def parse_url(text: str) -> Url:
    before, mark, fragment = text.partition("#")
    try:
        return _parsed(before)._replace(fragment=_escapes(fragment))
    except BadUrl as error:
        raise BadUrl('parse "{0}": {1}'.format(text if _CONTROL.search(text) is None else ascii(text)[1:-1], error)) from None


_CONTROL = re.compile("[\x00-\x1f\x7f]")


def _escapes(text: str) -> str:
    bad = _BAD_ESCAPE.search(text)
    if bad:
        raise BadUrl('invalid URL escape "{0}"'.format(bad.group()))
    return text


def _parsed(text: str) -> Url:
    if _CONTROL.search(text):
        raise BadUrl("net/url: invalid control character in URL")
    if text.startswith(":"):
        raise BadUrl("missing protocol scheme")
    named = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", text, re.S)
    scheme, rest = (named.group(1).lower(), named.group(2)) if named else ("", text)
    rest, mark, query = rest.partition("?")
    if not rest.startswith("/"):
        if not scheme and ":" in rest.partition("/")[0]:
            raise BadUrl("first path segment in URL cannot contain colon")
        return Url(scheme, "", "", "", "" if scheme else _escapes(rest), query, "")
    user = host = port = ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
        user, host, port = _authority(scheme, authority)
    return Url(scheme, user, host, port, _escapes(rest), query, "")


def _authority(scheme: str, authority: str) -> t.Tuple[str, str, str]:
    user, at, where = authority.rpartition("@")
    host, port = _host(scheme, where)
    if at:
        if re.search(r"[^A-Za-z0-9._:~!$&'()*+,;=%@-]", user):
            raise BadUrl("net/url: invalid userinfo")
        _escapes(user)
    return user, host, port


def _host(scheme: str, text: str) -> t.Tuple[str, str]:
    if text.rfind("[") > 0:
        raise BadUrl("invalid IP-literal")
    if text.startswith("["):
        inside, bracket, port = text[1:].rpartition("]")
        if not bracket:
            raise BadUrl("missing ']' in host")
        _judge_port(port)
        address, escape, zone = inside.partition("%25")
        if escape and not zone:
            raise BadUrl('invalid host: ParseAddr("{0}%"): zone must be a non-empty string'.format(address))
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            raise BadUrl("invalid host: {0} is no IPv6 address".format(inside)) from None
        _judge_letters(inside)
        return inside, port[1:]
    first, last = text.find(":"), text.rfind(":")
    colon = first if scheme in ("http", "https") else last
    port = "" if colon < 0 else text[colon:]
    _judge_port(port)
    for escape in re.finditer("%.{0,2}", text, re.S):
        # Only bytes beyond ASCII may be escaped in a host.
        if not re.fullmatch("%[89A-Fa-f][0-9A-Fa-f]|%25", escape.group()):
            raise BadUrl('invalid URL escape "{0}"'.format(escape.group()))
    _judge_letters(text)
    return (text[:last], text[last + 1 :]) if last >= 0 and _PORT.fullmatch(text[last:]) else (text, "")


def _judge_letters(host: str) -> None:
    bad = _NO_HOST.search(re.sub("%[0-9A-Fa-f]{2}", "", host))
    if bad:
        raise BadUrl('invalid character "{0}" in host name'.format(bad.group()))


def _judge_port(port: str) -> None:
    if not _PORT.fullmatch(port):
        raise BadUrl('invalid port "{0}" after host'.format(port))
