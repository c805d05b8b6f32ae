# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes for a Caddy that somebody else runs: a file to be imported within a site's block.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Caddy sorts directives, and blocks of `handle` by their paths; within `route` all is done as it is written. Its matcher
`path` takes capitals for small letters, `path_regexp` does not.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_ingress import path_regex
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_route import STREAM_TIMEOUT, allowed_methods, label
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import block, comment
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_words import CLIENT_ADDRESS, UNBELIEVED, WEBSOCKET_ALONE
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route, route_table

# By what the client sent, and by what that means decoded: the same paths that nginx refuses.
_REFUSED_TARGET = r"^[^?]*(?:#|//|%2[fFeE]|/\.\.?(?:[/?;]|%3[bB]|\z)|/(?:;|%3[bB])[^/?]*/)"
_REFUSED_PATH = r"[\x00-\x1f\x7f\\\x{FFFD}]"
_TIMEOUT = 60
_HEADERS = [
    "# What the client says of itself here is not believed; Caddy sets X-Forwarded-For, -Proto and -Host by itself.",
    "header_up X-Real-IP {http.vars.client_ip}",
    *("header_up -" + name for name in (*UNBELIEVED, *CLIENT_ADDRESS)),
]


def caddy_snippet(stack: str, host: str, routes: t.Sequence[Route], upstreams: t.Mapping[Route, str]) -> str:
    """The text of the file for one host; the empty one is any."""
    target, path = "@{0}_refused_target".format(stack), "@{0}_refused_path".format(stack)
    lines = [
        comment("Routes of stack {0}, written by portside.stack: the next release undoes changes made here.".format(stack)),
        comment("To be imported within the site for {0}.".format(host or "the hosts that these routes are for")),
        comment("The first that matches answers. What none answers is the site's own."),
        *("#   " + comment(line)[2:] for line in route_table(routes)),
    ]
    inside = [
        "# Paths that programs do not read alike: refused where a route of this file would answer.",
        "{0} vars_regexp {{http.request.orig_uri}} {1}".format(target, _word(_REFUSED_TARGET)),
        "{0} vars_regexp {{http.request.uri.path}} {1}".format(path, _word(_REFUSED_PATH)),
    ]
    for route in routes:
        name = "@{0}_{1}".format(stack, route.index)
        regex = path_regex(route)
        refusals = ["respond {0} 400".format(one) for one in (target, path)]
        inside += ["", comment(label(route)), *(["{0} path_regexp {1}".format(name, _word(_braced(regex)))] if regex else [])]
        inside += block("route " + name if regex else "route", [*refusals, *_handled(name, route, upstreams)])
    # As `caddy fmt` has it.
    return re.sub("(?m)^(?:    )+", lambda found: "\t" * (len(found.group()) // 4), "\n".join([*lines, "", *block("route", inside)])) + "\n"


def _handled(name: str, route: Route, upstreams: t.Mapping[Route, str]) -> t.List[str]:
    lines = []
    if route.methods:
        allowed, other = allowed_methods(route), name + "_other_methods"
        lines += ["{0} not method {1}".format(other, " ".join(allowed)), "header {0} Allow {1}".format(other, _word(", ".join(allowed)))]
        lines.append("respond {0} 405".format(other))
    if route.redirect:
        return [*lines, "redir {0} {1}".format(_word(route.redirect.replace("{uri}", "{http.request.orig_uri}")), route.status)]
    if route.status:
        return [*lines, "respond {0}".format(route.status)]
    if route.max_body and route.max_body != "0":
        lines += block("request_body", ["max_size {0}".format(_size(route.max_body))])
    if route.strip_prefix:
        lines.append("uri strip_prefix {0}".format(_word(route.path.rstrip("/"))))
    lines += _upgrade(name, route)
    seconds = route.timeout or (STREAM_TIMEOUT if route.stream else _TIMEOUT)
    transport = ["dial_timeout 2s", "read_timeout {0}s".format(seconds), "write_timeout {0}s".format(seconds)]
    held = ["flush_interval -1"] if route.stream == "sse" else []
    # Else a reload would end them.
    held += ["stream_close_delay 10m"] if route.stream else []
    return [*lines, *block("reverse_proxy " + upstreams[route], [*_HEADERS, *held, *block("transport http", transport)])]


def _upgrade(name: str, route: Route) -> t.List[str]:
    """Caddy hands every protocol on that a client wishes to change to, and the answers of the service then pass unseen."""
    if route.stream != "websocket":
        return ["request_header -Upgrade"]
    other = name + "_other_protocol"
    return [WEBSOCKET_ALONE, "{0} not header_regexp Upgrade {1}".format(other, _word(r"^(?i:websocket)\z")), "request_header {0} -Upgrade".format(other)]


def _word(text: str) -> str:
    """The text as one word; a backslash stands for itself but in front of a quotation mark."""
    return '"{0}"'.format(text.replace('"', '\\"')) if "`" in text else "`{0}`".format(text)


def _braced(regex: str) -> str:
    """The regex with braces that stand for themselves in a way that Caddy, which takes the backslash off them, leaves alone."""
    return re.sub(r"\\(.)", lambda found: {"{": r"\x7b", "}": r"\x7d"}.get(found.group(1), found.group()), regex)


def _size(text: str) -> str:
    """A size as nginx has them, in Caddy's words."""
    units = {"k": "KiB", "m": "MiB", "g": "GiB"}
    return text[:-1] + units[text[-1].lower()] if text[-1].lower() in units else text + "B"
