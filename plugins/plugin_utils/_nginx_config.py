# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole configuration of an nginx edge.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._edge_places import OWN
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_http import MAIN, challenge_lines, http_lines, joined
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_server import DIGEST, challenge_server, servers
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import block, comment
from ansible_collections.portside.stack.plugins.plugin_utils._routes import route_table

# For an image of which nothing is told.
_UNKNOWN = {"nginx": "1.26.0", "openssl": "3.0.0"}
# Older ones let control characters through: https://nginx.org/en/CHANGES, 1.21.1.
_OLDEST = (1, 22)
_DIGITS = 16
_DIGEST = re.compile("(?<=location = {0})[0-9a-f]{{{1}}}(?= )".format(re.escape(OWN), _DIGITS))

Facts = t.Optional[t.Dict[str, t.Any]]


def nginx_config(stack: model.Mapping, facts: Facts = None, challenge: bool = False) -> str:
    """The text of nginx.conf for the edge of a stack of which no problem is known."""
    if not edges.nginx_service(stack):
        raise StackError("stack {0!r}, key 'edge': it has no nginx edge; declare edge: {{kind: nginx}}".format(model.mapping(stack).get("name")))
    stack = edges.with_edge(stack)
    # A fork of OpenSSL tells no version of it.
    told = {**_UNKNOWN, **{name: fact for name, fact in (facts or {}).items() if fact}}
    nginx, openssl = (_version(stack, told, name) for name in ("nginx", "openssl"))
    if nginx < _OLDEST:
        raise StackError(
            "stack {0!r}, service {1!r}: nginx {2} is older than 1.22, the first whose reading of paths is known; use a newer image".format(
                stack["name"], edges.nginx_service(stack), ".".join(map(str, nginx))
            )
        )
    edge, routes = edges.edge_of(stack), edges.routes_of(stack)
    title = [comment("The edge of stack {0}, written by portside.stack: the next release undoes changes made here.".format(stack["name"]))]
    if challenge:
        inside = joined([challenge_lines(), challenge_server(stack)])
    else:
        title += [comment("Its routes, of which the first that matches answers; the locations below say which route each is for.")]
        title += ["#   " + comment(line)[2:] for line in route_table(routes)]
        inside = joined([http_lines(edge, routes, openssl), *servers(stack, nginx)])
    text = "\n".join([*title, "", *MAIN, "", *block("http", inside)]) + "\n"
    return text.replace(DIGEST, config_digest_of(text.replace(DIGEST, "0" * _DIGITS)))


def config_digest_of(text: str) -> str:
    """The digest by which nginx says that it serves this text: of all of it but the digest itself."""
    return hashlib.sha256(_DIGEST.sub("", text).encode("utf-8")).hexdigest()[:_DIGITS]


def _version(stack: model.Mapping, facts: t.Dict[str, t.Any], name: str) -> t.Tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", str(facts[name] or ""))
    if found is None:
        text = "stack {0!r}: {1!r} is not a version of {2}; give it as facts: {{nginx: 1.28.0, openssl: 3.5.0}}"
        raise StackError(text.format(stack["name"], facts[name], name))
    return tuple(int(part or 0) for part in found.groups())
