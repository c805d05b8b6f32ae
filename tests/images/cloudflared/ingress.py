# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ingress rules as cloudflared 2026.8.2 reads, refuses and matches them."""

from __future__ import annotations

import ipaddress
import re
import typing as t
import urllib.parse

import re2
import yaml

_RULE = {"hostname", "path", "service", "originRequest"}
_ORIGIN = {
    "connectTimeout", "tlsTimeout", "tcpKeepAlive", "noHappyEyeballs", "keepAliveTimeout", "keepAliveConnections", "httpHostHeader", "originServerName",
    "matchSNItoHost", "caPool", "noTLSVerify", "disableChunkedEncoding", "bastionMode", "proxyAddress", "proxyPort", "proxyType", "ipRules", "http2Origin",
    "access",
}  # fmt: skip
_WORDS = {"hello_world", "hello-world", "bastion", "socks-proxy"}
_DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|ms|s|m|h))+")


class Refused(Exception):
    """What cloudflared would not start with."""


class Rule(t.NamedTuple):
    """A rule that is in order."""

    hostname: str
    path: t.Any
    service: str
    origin: dict[str, t.Any]


class Config(t.NamedTuple):
    """A configuration file."""

    tunnel: str
    credentials: str
    settings: dict[str, t.Any]
    rules: list[Rule]
    unused: list[str]


def read(path: str) -> Config:
    """The configuration. Keys that mean nothing are no error, as with the original."""
    try:
        with open(path, encoding="utf-8") as file:
            data = yaml.safe_load(file)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Refused(f"error parsing YAML in config file at {path}: {error}") from error
    if not isinstance(data, dict):
        raise Refused(f"the config file {path} was empty")
    unused: list[str] = []
    rules = _rules(data.get("ingress"), unused)
    _origin(data.get("originRequest"), "originRequest", unused)
    return Config(str(data.get("tunnel", "")), str(data.get("credentials-file", "")), data, rules, unused)


def _rules(given: t.Any, unused: list[str]) -> list[Rule]:
    if not isinstance(given, list) or not given:
        raise Refused("The config file doesn't contain any ingress rules")
    return [_rule(one, number, number == len(given), unused) for number, one in enumerate(given, 1)]


def _rule(given: t.Any, number: int, last: bool, unused: list[str]) -> Rule:
    if not isinstance(given, dict):
        raise Refused(f"rule #{number} is no mapping")
    unused += [f"ingress[{number - 1}].{key}" for key in given if key not in _RULE]
    hostname, path, service = (given.get(key) or "" for key in ("hostname", "path", "service"))
    if not all(isinstance(one, str) for one in (hostname, path, service)):
        raise Refused(f"rule #{number} has something else than text")
    _service(service, number)
    if hostname.rfind("*") > 0:
        raise Refused(f"Rule #{number}: hostname patterns can have at most one wildcard character and it can only be at the start")
    if re.fullmatch(r"\[.*\]:.*|[^:\[\]]*:[^:\[\]]*", hostname):
        raise Refused(f"Rule #{number}: Hostname cannot contain a port")
    everything = hostname in ("", "*") and not path
    if last and not everything:
        raise Refused("The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)")
    if everything and not last:
        raise Refused(f"Rule #{number} matches every hostname, meaning the rules which follow it will never be triggered.")
    return Rule(hostname, _regexp(path, number) if path else None, service, _origin(given.get("originRequest"), f"ingress[{number - 1}].originRequest", unused))


def _regexp(path: str, number: int) -> t.Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(path, options)
    except re2.error as error:
        raise Refused(f"Rule #{number} has an invalid regex: {error}") from error


def _service(service: str, number: int) -> None:
    if service in _WORDS or re.match(r"unix(\+tls)?:", service):
        return
    kind, _, rest = service.partition(":")
    if kind == "http_status":
        if not re.fullmatch(r"\d+", rest) or not 100 <= int(rest) <= 999:
            raise Refused(f"Rule #{number} has an invalid HTTP status: {rest}")
        return
    try:
        url = urllib.parse.urlsplit(service)
        # Whatever number: a port that there is not is found out when it is asked.
        if not re.fullmatch(r"([^\[\]:]*|\[.*\])(:\d*)?", url.netloc):
            raise ValueError(f"port in {url.netloc!r}")
    except ValueError as error:
        raise Refused(f"Rule #{number} has an invalid service: {error}") from error
    if not url.scheme or not url.hostname:
        raise Refused(f"{service} is an invalid address, please make sure it has a scheme and a hostname")
    if url.path:
        raise Refused(f"{service} is an invalid address, ingress rules don't support proxying to a different path on the origin service.")


def _origin(given: t.Any, where: str, unused: list[str]) -> dict[str, t.Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Refused(f"{where} is no mapping")
    unused += [f"{where}.{key}" for key in given if key not in _ORIGIN]
    for key, value in given.items():
        if key.endswith(("Timeout", "tcpKeepAlive")) and not (isinstance(value, str) and _DURATION.fullmatch(value)):
            raise Refused(f"{where}.{key}: {value!r} is no duration")
    return given


# -- matching ------------------------------------------------------------------------------------------------------


def decoded(target: str) -> str:
    """The path that rules see. ValueError for an escape that is none."""
    path = target.partition("?")[0]
    if re.search(r"%(?![0-9A-Fa-f]{2})", path):
        raise ValueError(f"invalid URL escape in {path!r}")
    return urllib.parse.unquote_to_bytes(path.encode("latin-1")).decode("utf-8", "replace")


def answering(rules: list[Rule], host: str, path: str) -> Rule:
    """The rule that answers: the first that matches."""
    name = _without_port(host)
    for rule in rules:
        known = rule.hostname in ("", "*", name) or (rule.hostname.startswith("*.") and name.endswith(rule.hostname[1:]))
        if known and (rule.path is None or rule.path.search(path)):
            return rule
    return rules[-1]


def _without_port(host: str) -> str:
    try:
        ipaddress.IPv6Address(host.strip("[]"))
        return host
    except ValueError:
        return host.rpartition(":")[0].strip("[]") if ":" in host else host
