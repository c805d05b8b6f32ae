# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of how the certificates of an edge are declared.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._route_model import known_hosts
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route

# What each kind is told by.
_KEYS: t.Dict[str, t.Tuple[str, ...]] = {
    "self_signed": ("hsts",),
    "files": ("certificates", "hsts"),
    "acme": ("email", "staging", "directory_url", "hsts"),
}
_ALL_KEYS = ("kind", "certificates", "email", "staging", "directory_url", "hsts")
_OTHER_NAMES = {"letsencrypt": "acme", "lets_encrypt": "acme", "certbot": "acme", "file": "files", "snakeoil": "self_signed", "none": ""}
_LONGEST_HSTS = 315360000
# How many names Let's Encrypt puts into one certificate: https://letsencrypt.org/docs/rate-limits/
_MOST_NAMES = 100
_EMAIL = re.compile(r"[A-Za-z0-9.!#%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
# Names that nobody can own, so that no public authority answers for them: RFC 2606, RFC 6761, RFC 6762, RFC 8375 and ICANN's `internal`.
_NOBODYS = ("test", "example", "invalid", "localhost", "local", "internal", "home.arpa", "lan", "home", "corp", "onion")


def tls_problems(report: Report, stack: model.Mapping, edge: model.Mapping, routes: t.List[Route]) -> None:
    """Judges `edge.tls` of an nginx edge, but for what certificates say."""
    tls = model.mapping(edge["tls"])
    kind = tls.get("kind")
    for key in tls:
        if key not in _ALL_KEYS:
            report.unknown("edge.tls", key, _ALL_KEYS, "a key of tls", "use " + ", ".join(_ALL_KEYS))
        elif kind in edges.TLS_KINDS and key != "kind" and key not in _KEYS[kind]:
            owners = [name for name, keys in _KEYS.items() if key in keys]
            report.add("edge.tls." + key, "it says nothing with kind: {0}, only with {1}; take it out, or change the kind".format(kind, owners[0]))
    _value_problems(report, tls)
    if kind not in edges.TLS_KINDS:
        _kind_problem(report, kind)
        return
    _name_problems(report, tls, routes, edges.edge_hosts(stack))
    if kind == "acme" and "directory_url" not in tls and "tunnel" not in edge and _exposure(stack) == "loopback":
        text = "Let's Encrypt asks this edge on port 80, and only the host itself may reach it; write exposure: {{{0}: public}}, or use kind: self_signed"
        report.add("edge.tls.kind", text.format(edges.edge_service(stack)))


def _exposure(stack: model.Mapping) -> t.Any:
    return model.mapping(stack.get("exposure")).get(edges.edge_service(stack))


def _kind_problem(report: Report, kind: t.Any) -> None:
    if kind is None:
        report.add("edge.tls.kind", "it is missing; write one of {0}".format(", ".join(edges.TLS_KINDS)))
        return
    other = _OTHER_NAMES.get(str(kind).lower().replace("'", "").replace("-", "_"))
    if other is None:
        report.unknown("edge.tls.kind", kind, edges.TLS_KINDS, "a kind of tls", "use one of " + ", ".join(edges.TLS_KINDS))
    else:
        hint = "did you mean {0!r}?".format(other) if other else "leave tls out for plain HTTP"
        report.add("edge.tls.kind", "{0!r} is not a kind of tls; {1}".format(kind, hint))


def _value_problems(report: Report, tls: model.Mapping) -> None:
    hsts = tls.get("hsts", 0)
    if isinstance(hsts, bool) or not isinstance(hsts, int) or not 0 <= hsts <= _LONGEST_HSTS:
        text = "value {0} is not a number of seconds from 0 to {1}; write 63072000 for two years, or 0 for none"
        report.add("edge.tls.hsts", text.format(shown(hsts), _LONGEST_HSTS))
    staging = tls.get("staging", False)
    if not isinstance(staging, bool):
        report.add("edge.tls.staging", "value {0} is not true or false; write one of them, unquoted".format(shown(staging)))
    if staging is True and "directory_url" in tls:
        report.add("edge.tls.staging", "staging is Let's Encrypt's, and directory_url names another server; keep one of them")
    email = tls.get("email")
    if email is not None and not (isinstance(email, str) and _EMAIL.fullmatch(email)):
        report.add("edge.tls.email", "value {0} is not an address; write one such as ops@example.com, or leave it out".format(shown(email)))
    url = tls.get("directory_url")
    reason = "" if url is None else _url_problem(url)
    if reason:
        report.add("edge.tls.directory_url", "value {0} {1}; write one such as https://acme.example.com/directory".format(shown(url), reason))


def _url_problem(url: t.Any) -> str:
    if not isinstance(url, str):
        return "is not text"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme != "https" or not host or port == 0:
        return "is not a URL with https"
    if parts.username is not None or parts.fragment or not re.fullmatch(r"[\x21-\x7e]+", url) or re.search(r"[\\\"'<>^`{|}$]", url):
        return "has a user, a fragment or characters that no such URL has"
    return ""


def _name_problems(report: Report, tls: model.Mapping, routes: t.List[Route], hosts: t.List[str]) -> None:
    """A certificate is for names, so there have to be some, and such as can be proved."""
    known = known_hosts(routes, hosts)
    if "" in known:
        positions = [route.index for route in routes if not route.host]
        text = "a certificate is for names, and routes[{0}] answers whatever host is asked for; name them: edge.hosts: [example.com], or give each route a host"
        report.add("edge.hosts", text.format(positions[0]))
    if tls["kind"] != "acme":
        return
    names = [host for host in known if host]
    for host in names:
        reason = _proof_problem(host, "directory_url" in tls)
        if reason:
            text = "{0} {1}; take it out of edge.hosts and the routes, or bring a certificate with kind: files"
            report.add("edge.tls.kind", text.format(host, reason))
    if len(names) > _MOST_NAMES:
        text = "one certificate is for {0} names at the most, and here are {1}; declare fewer, or bring certificates with kind: files"
        report.add("edge.tls.kind", text.format(_MOST_NAMES, len(names)))


def _proof_problem(host: str, own_server: bool) -> str:
    """Why the authority cannot have it proved over HTTP that a name is ours."""
    if host.startswith("*."):
        return "is a wildcard, which can be proved with DNS alone, and this edge proves names over HTTP"
    try:
        ipaddress.ip_address(host.strip("[]"))
        return "is an address, not a name"
    except ValueError:
        pass
    if own_server:
        return ""
    if "." not in host or any(host == name or host.endswith("." + name) for name in _NOBODYS):
        return "is no name of the public DNS, so Let's Encrypt cannot ask for it (an ACME server of yours could: directory_url)"
    return ""
