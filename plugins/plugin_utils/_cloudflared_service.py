# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of cloudflared's rules, with their options: what it refuses, and what it accepts though it cannot be meant.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils._go_url import BadUrl, parse_url

Mapping = t.Dict[str, t.Any]
# A reason, and the remedy.
Finding = t.Tuple[str, str]

RULE_KEYS = ("hostname", "path", "service", "originRequest")
_WEB = ("http", "https", "ws", "wss")
_SCHEMES = _WEB + ("ssh", "rdp", "smb", "tcp")
_DURATION = re.compile("[+-]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h))+)")
# YAML 1.1's words, which cloudflared's reader still takes.
_SWITCHES = frozenset(word for pair in ("y n", "yes no", "on off") for one in pair.split() for word in (one, one.capitalize(), one.upper()))
_OPTIONS = {
    "connectTimeout": "duration",
    "tlsTimeout": "duration",
    "tcpKeepAlive": "duration",
    "noHappyEyeballs": "switch",
    "keepAliveConnections": "number",
    "keepAliveTimeout": "duration",
    "httpHostHeader": "text",
    "originServerName": "text",
    "matchSNItoHost": "switch",
    "caPool": "text",
    "noTLSVerify": "switch",
    "disableChunkedEncoding": "switch",
    "bastionMode": "switch",
    "proxyAddress": "text",
    "proxyPort": "natural",
    "proxyType": "text",
    "ipRules": "mappings",
    "http2Origin": "switch",
    "access": "mapping",
}
_ACCESS = {"required": "switch", "teamName": "text", "audTag": "texts", "environment": "text"}
_IP_RULE = {"prefix": "text", "ports": "numbers", "allow": "switch"}


def _fits(kind: str, value: t.Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value is None:
        return True
    if kind == "duration":
        return isinstance(value, str) and _DURATION.fullmatch(value) is not None
    if kind == "switch":
        return isinstance(value, bool) or (isinstance(value, str) and value in _SWITCHES)
    if kind in ("number", "natural"):
        return number and (kind == "number" or value >= 0)
    if kind in ("texts", "numbers", "mappings"):
        return isinstance(value, list) and all(_fits(kind[:-1], item) for item in value)
    return isinstance(value, {"text": (str, int, float), "mapping": dict}[kind])


def _is_on(value: t.Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in ("y", "yes", "on"))


def _mapping(value: t.Any) -> Mapping:
    return value if isinstance(value, dict) else {}


def _groups(rule: Mapping) -> t.Iterator[t.Tuple[str, Mapping, t.Dict[str, str]]]:
    options = _mapping(rule.get("originRequest"))
    yield "originRequest", options, _OPTIONS
    yield "originRequest.access", _mapping(options.get("access")), _ACCESS
    for item in options.get("ipRules") if isinstance(options.get("ipRules"), list) else []:
        yield "originRequest.ipRules", _mapping(item), _IP_RULE


def service_refusals(rule: Mapping) -> t.Iterator[Finding]:
    """What cloudflared has against the service and the options of one rule."""
    if rule.get("originRequest") is not None and not isinstance(rule["originRequest"], dict):
        yield "cannot unmarshal originRequest", "write it as a mapping"
    for name, group, kinds in _groups(rule):
        for key in sorted(key for key in group if key in kinds and not _fits(kinds[key], group[key])):
            kind = "list of {0}".format(kinds[key]) if kinds[key].endswith("s") else kinds[key]
            remedy = "write a text with a unit, such as 30s" if kind == "duration" else "write a {0}".format(kind)
            yield "cannot unmarshal {0}.{1}: {2!r}".format(name, key, group[key]), remedy
    options = _mapping(rule.get("originRequest"))
    service = rule.get("service")
    if isinstance(service, (list, dict)):
        yield "cannot unmarshal service into string", "write it as a text"
    else:
        yield from _service_refusals("" if service is None else str(service), options)
    access = _mapping(options.get("access"))
    if _is_on(access.get("required")) and access.get("audTag") and not access.get("teamName"):
        yield "access.TeamName cannot be blank when access.audTags are present", "give teamName"


def _service_refusals(service: str, options: Mapping) -> t.Iterator[Finding]:
    if service.startswith(("unix:", "unix+tls:")) or service in ("hello_world", "hello-world"):
        return
    if service.startswith("http_status:"):
        status = service.partition(":")[2]
        if not re.fullmatch("[+-]?[0-9]+", status):
            yield 'invalid HTTP status code: strconv.Atoi: parsing "{0}": invalid syntax'.format(status), "write a number, such as http_status:404"
        elif not 100 <= int(status) <= 999:
            yield "invalid HTTP status code: {0}".format(status), "write one from 100 to 999"
    elif service == "socks-proxy":
        for item in options.get("ipRules") if isinstance(options.get("ipRules"), list) else []:
            yield from _ip_rule(_mapping(item))
    elif service != "bastion" and not _is_on(options.get("bastionMode")):
        yield from _url_refusals(service)


def _ip_rule(rule: Mapping) -> t.Iterator[Finding]:
    prefix = rule.get("prefix")
    if not prefix:
        yield "unable to create ip rule for socks-proxy: no prefix provided", "give prefix, such as 10.0.0.0/8"
        return
    try:
        if not re.fullmatch("[^%/]+/[0-9]+", str(prefix)):
            raise ValueError
        ipaddress.ip_network(str(prefix), strict=False)
    except ValueError:
        yield "unable to create ip rule for socks-proxy: unable to parse cidr: {0}".format(prefix), "write an address and a length, such as 10.0.0.0/8"
        return
    for port in rule.get("ports") if isinstance(rule.get("ports"), list) else []:
        if _fits("number", port) and port is not None and not 1 <= int(port) <= 65535:
            reason = "unable to create ip rule for socks-proxy: invalid port {0}, needs to be between 1 and 65535".format(port)
            yield reason, "write a port from 1 to 65535"


def _url_refusals(service: str) -> t.Iterator[Finding]:
    try:
        url = parse_url(service)
    except BadUrl as error:
        yield str(error), "write it as scheme://host:port, such as http://127.0.0.1:8000"
        return
    if not url.scheme or not url.host:
        reason = "{0} is an invalid address, please make sure it has a scheme and a hostname".format(service)
        yield reason, "write it as scheme://host:port, such as http://127.0.0.1:8000"
    elif url.path:
        reason = "{0} is an invalid address, ingress rules don't support proxying to a different path on the origin service. ".format(service)
        reason += "The path will be the same as the eyeball request's path"
        yield reason, "leave out {0}: the service gets the path of the request".format("the slash at the end" if url.path == "/" else "the path")


def service_suspicions(rule: Mapping) -> t.Iterator[str]:
    """What cloudflared accepts silently: complete sentences with the remedy."""
    for key in sorted((str(key) for key in rule if key not in RULE_KEYS), key=str):
        yield _unknown(key, RULE_KEYS)
    for name, group, kinds in _groups(rule):
        for key in sorted(str(key) for key in group if key not in kinds):
            yield _unknown("{0}.{1}".format(name, key), kinds)
    service = "" if rule.get("service") is None else str(rule.get("service"))
    options = _mapping(rule.get("originRequest"))
    jumps = service in ("bastion", "socks-proxy") or _is_on(options.get("bastionMode"))
    if jumps and not _is_on(_mapping(options.get("access")).get("required")):
        message = "it lets the client choose where to connect to, so whatever this host reaches is public unless Cloudflare Access is before it."
        yield message + " Set originRequest.access.required with teamName and audTag, or name the service."
    if service in ("unix:", "unix+tls:"):
        yield "its socket has no path. Write unix:/path/of/the/socket."
    elif service.startswith("http_status:"):
        if re.fullmatch("[+-]?[0-9]+", service[12:]) and not 200 <= int(service[12:]) <= 599:
            yield "no browser understands the status {0}. Write one from 200 to 599.".format(service[12:])
    elif not jumps and not service.startswith(("unix:", "unix+tls:")):
        yield from _url_suspicions(service)


def _unknown(key: str, known: t.Iterable[str]) -> str:
    near = [name for name in known if name.lower() == key.rpartition(".")[2].lower()]
    return "cloudflared ignores the key {0!r} with only a warning. {1}".format(key, "Write {0}.".format(near[0]) if near else "Correct or remove it.")


def _url_suspicions(service: str) -> t.Iterator[str]:
    try:
        url = parse_url(service)
    except BadUrl:
        return
    if not url.scheme or not url.host:
        return
    if url.scheme not in _SCHEMES:
        message = "its scheme {0!r} is none that cloudflared knows, so it becomes a plain TCP service that browsers cannot reach. Write one of {1}."
        yield message.format(url.scheme, ", ".join(_SCHEMES))
    if url.port and not 1 <= int(url.port) <= 65535:
        yield "there is no port {0}. Write one from 1 to 65535.".format(url.port)
    if url.query or url.fragment or url.user:
        what = "query" if url.query else "fragment" if url.fragment else "login"
        yield "the {0} in its service is not used. Leave it out.".format(what)
