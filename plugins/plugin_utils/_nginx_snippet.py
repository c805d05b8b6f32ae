# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes for an nginx that somebody else runs: a file to be included within a `server`, which needs nothing outside of it.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

What the server has besides stays as it is: only requests that a route here answers are refused for their paths.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils._nginx_route import MAX_BODY, allowed_methods, located, redirection, stripped, transfer
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import block, comment, plain
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_words import BROKEN, CLIENT_ADDRESS, REFUSED, SOUND_PATH, UNBELIEVED, WEBSOCKET_ALONE
from ansible_collections.portside.stack.plugins.plugin_utils._route_locations import Location, locations
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route, route_table

_REFUSE = block("if ($portside_refused)", ["return 400;"])
_FLAG = ["set $portside_refused 1;"]
# Without a map, which would have to stand outside of the server.
_SHARED = [
    "# Paths that programs do not read alike: refused where a route of this file would answer.",
    'set $portside_refused "";',
    BROKEN,
    *block("if ($uri !~ {0})".format(SOUND_PATH), _FLAG),
    *(line for why, patterns in REFUSED for line in (why, *(part for one in patterns for part in block("if ($request_uri ~ {0})".format(one), _FLAG)))),
    "",
    "# The host that was asked for, with the port that the client sees, if it gave one.",
    "set $portside_host $host;",
    'set $portside_asked "$host|$http_host";',
    *block('if ($portside_asked ~* "^([^|]+)\\|\\1:[0-9]{1,5}\\z")', ["set $portside_host $http_host;"]),
    "",
    WEBSOCKET_ALONE,
    'set $portside_upgrade "";',
    "set $portside_connection close;",
    *block('if ($http_upgrade ~* "^websocket\\z")', ["set $portside_upgrade websocket;", "set $portside_connection upgrade;"]),
]
_PROXY = [
    "proxy_http_version 1.1;",
    "proxy_connect_timeout 2s;",
    "proxy_set_header Host $portside_host;",
    "# What the client says of itself here is not believed.",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $remote_addr;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
    "proxy_set_header X-Forwarded-Host $portside_host;",
    *('proxy_set_header {0} "";'.format(name) for name in (*UNBELIEVED, *CLIENT_ADDRESS)),
]
_WEBSOCKET = ["proxy_set_header Upgrade $portside_upgrade;", "proxy_set_header Connection $portside_connection;"]
_NO_WEBSOCKET = ['proxy_set_header Upgrade "";', "proxy_set_header Connection close;"]


def nginx_snippet(stack: str, host: str, routes: t.Sequence[Route], upstreams: t.Mapping[Route, str]) -> str:
    """The text of the file for one host; the empty one is any."""
    lines = [
        comment("Routes of stack {0}, written by portside.stack: the next release undoes changes made here.".format(stack)),
        comment("To be included within the server for {0}; it needs nothing in http.".format(host or "the hosts that these routes are for")),
        comment("The first that matches answers; the locations below say which route each is for. What none answers is the server's own."),
        *("#   " + comment(line)[2:] for line in route_table(routes)),
        "",
        *_SHARED,
    ]
    # nginx looks at the order of regexes alone, and people at that of the routes.
    for found in sorted(locations(routes), key=lambda one: (one.route is None, one.route.index if one.route else 0)):
        lines += ["", *located(found, lambda route, found=found: _handled(found, route, upstreams))]
    return "\n".join(lines) + "\n"


def _handled(found: Location, route: Route, upstreams: t.Mapping[Route, str]) -> t.List[str]:
    lines = list(_REFUSE)
    if route.methods:
        allowed = allowed_methods(route)
        refused = ["add_header Allow {0} always;".format(plain(", ".join(allowed))), "return 405;"]
        lines += block('if ($request_method !~ "^(?:{0})$")'.format("|".join(allowed)), refused)
    if route.redirect:
        return [*lines, redirection(route)]
    if route.status:
        return [*lines, "return {0};".format(route.status)]
    if route.max_body:
        lines.append("client_max_body_size {0};".format(route.max_body))
    lines += [*_PROXY, *(_WEBSOCKET if route.stream == "websocket" else _NO_WEBSOCKET)]
    return [*lines, *transfer(route, route.max_body or MAX_BODY), *stripped(found, route), "proxy_pass http://{0};".format(upstreams[route])]
