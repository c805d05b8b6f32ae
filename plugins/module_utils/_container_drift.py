# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container is that its rendered service does not say: its image, limits, ports, networks, command.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

A container's labels say which release made it, and go on saying that when somebody changes it. What the engine does not
tell, or cannot enforce on its kernel, is not judged; nor is what Compose itself would have filled in.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._byte_size import byte_size

Mapping = t.Mapping[str, t.Any]

_CONDITIONS = {"": "no", "none": "no", "any": "always"}
_CPU_PERIOD = 100000
# Network modes that are no network.
_NO_NETWORKS = ("host", "none")


class Difference(t.NamedTuple):
    """One thing that is not as declared: ``what`` it is, in words that follow on a service's name."""

    kind: str
    what: str
    declared: str
    found: str


class Look(t.NamedTuple):
    """What is known besides: the image's id ("" where it is not on the host), the service's networks by name with their
    ids ("" for one that is not there; none where it has no networks of its own), and what the engine can enforce."""

    image_id: str = ""
    networks: t.Optional[t.Mapping[str, str]] = None
    engine: Mapping = {}


def differences(body: Mapping, data: Mapping, look: Look) -> t.List[Difference]:
    """Every difference of a container, as the engine inspects it, from the service as it was rendered."""
    host, config = data.get("HostConfig") or {}, data.get("Config") or {}
    found = _image(body, data, look.image_id)
    found += _limits(body, host, look.engine)
    found += _restart_policy(body, host)
    found += _ports(body, host)
    if look.networks is not None:
        found += _networks(look.networks, (data.get("NetworkSettings") or {}).get("Networks") or {})
    return found + _commands(body, config) + _environment(body, config)


def _image(body: Mapping, data: Mapping, wanted_id: str) -> t.List[Difference]:
    wanted, used = str(body.get("image") or ""), (data.get("Config") or {}).get("Image") or ""
    same = data.get("Image") == wanted_id if wanted_id and data.get("Image") else _literal(wanted) in (used, None)
    if same:
        return []
    found = used if used != wanted else data["Image"]
    return [Difference("image", "runs image {0} instead of {1}".format(found, wanted), wanted, found)]


# -- limits ------------------------------------------------------------------------------------------------------------


class _Limit(t.NamedTuple):
    """A limit: its name, what the engine tells that it can enforce, as it is declared, as it is, and in words.

    A value that is None cannot be compared, and 0 is no limit.
    """

    name: str
    capability: str
    declared: t.Callable[[Mapping], t.Any]
    found: t.Callable[[Mapping], t.Any]
    text: t.Callable[[t.Any], str]


def _limits(body: Mapping, host: Mapping, engine: Mapping) -> t.List[Difference]:
    found = []
    for one in _LIMITS:
        declared, there = one.declared(body), one.found(host)
        if engine.get(one.capability) is False or None in (declared, there) or declared == there:
            continue
        texts = [one.text(value) if value else "none" for value in (declared, there)]
        found.append(Difference("limit", "{0} is {1} instead of {2}".format(one.name, texts[1], texts[0]), *texts))
    return found


def _resources(body: Mapping, section: str) -> Mapping:
    return ((body.get("deploy") or {}).get("resources") or {}).get(section) or {}


def _size_of(section: str, key: str, own_key: str) -> t.Callable[[Mapping], t.Optional[int]]:
    def declared(body: Mapping) -> t.Optional[int]:
        value = _resources(body, section).get(key) or body.get(own_key)
        return byte_size(value) if value else 0

    return declared


def _declared_cpus(body: Mapping) -> t.Optional[float]:
    value = _resources(body, "limits").get("cpus") or body.get("cpus")
    if value:
        return _number(value)
    return _share(body.get("cpu_quota"), body.get("cpu_period"))


def _found_cpus(host: Mapping) -> t.Optional[float]:
    if "NanoCpus" not in host:
        return None
    return _number((host["NanoCpus"] or 0) / 1e9) or _share(host.get("CpuQuota"), host.get("CpuPeriod"))


def _share(quota: t.Any, period: t.Any) -> t.Optional[float]:
    quota, period = _number(quota or 0), _number(period or 0)
    if quota is None or period is None:
        return None
    return round(quota / (period or _CPU_PERIOD), 4) if quota > 0 else 0.0


def _declared_pids(body: Mapping) -> t.Optional[float]:
    value = _number(_resources(body, "limits").get("pids") or body.get("pids_limit") or 0)
    return value if value is None else max(0, value)


def _number(value: t.Any) -> t.Optional[float]:
    try:
        return round(float(value), 4)
    except (TypeError, ValueError):
        return None


def _found(key: str) -> t.Callable[[Mapping], t.Any]:
    def found(host: Mapping) -> t.Any:
        return max(0, host[key] or 0) if key in host else None

    return found


def _size(value: int) -> str:
    """Exactly, so that two that differ never read the same."""
    for factor, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value % factor == 0:
            return "{0} {1}".format(value // factor, unit)
    return "{0} bytes".format(value)


_LIMITS = (
    _Limit("memory limit", "MemoryLimit", _size_of("limits", "memory", "mem_limit"), _found("Memory"), _size),
    _Limit(
        "memory reservation",
        "MemoryLimit",
        _size_of("reservations", "memory", "mem_reservation"),
        _found("MemoryReservation"),
        _size,
    ),
    _Limit("cpu limit", "CpuCfsQuota", _declared_cpus, _found_cpus, "{0:g}".format),
    _Limit("cpu shares", "CPUShares", lambda body: _number(body.get("cpu_shares") or 0), _found("CpuShares"), "{0:g}".format),
    _Limit("process limit", "PidsLimit", _declared_pids, _found("PidsLimit"), "{0:g}".format),
    _Limit(
        "cpu set",
        "CPUSet",
        lambda body: str(body.get("cpuset") or ""),
        lambda host: host["CpusetCpus"] or "" if "CpusetCpus" in host else None,
        str,
    ),
)


# -- everything else ---------------------------------------------------------------------------------------------------


def _restart_policy(body: Mapping, host: Mapping) -> t.List[Difference]:
    declared, found = _declared_policy(body), host.get("RestartPolicy")
    if found is None or declared is None:
        return []
    name = found.get("Name") or "no"
    there = (name, found.get("MaximumRetryCount") or 0 if name == "on-failure" else 0)
    if there == declared:
        return []
    texts = [one if not count else "{0}:{1}".format(one, count) for one, count in (declared, there)]
    return [Difference("container", "restart policy is {1} instead of {0}".format(*texts), *texts)]


def _declared_policy(body: Mapping) -> t.Optional[t.Tuple[str, int]]:
    policy = (body.get("deploy") or {}).get("restart_policy")
    if policy:
        # Without a condition, versions of Compose make different things of it.
        if not policy.get("condition"):
            return None
        condition, count = str(policy["condition"]), policy.get("max_attempts") or 0
    else:
        condition, _colon, text = str(body.get("restart") or "no").partition(":")
        count = text or 0
    name = _CONDITIONS.get(condition, condition)
    return (name, int(count)) if name == "on-failure" else (name, 0)


def _ports(body: Mapping, host: Mapping) -> t.List[Difference]:
    if body.get("network_mode") or "PortBindings" not in host:
        return []
    declared = {
        ("{0}/{1}".format(port["target"], port.get("protocol") or "tcp"), _address(port.get("host_ip")), _published(port.get("published")))
        for port in body.get("ports") or ()
    }
    found = {
        (target, _address(bind.get("HostIp")), _published(bind.get("HostPort")))
        for target, binds in (host["PortBindings"] or {}).items()
        for bind in binds or ()
    }
    if declared == found:
        return []
    texts = [", ".join(sorted(_shown(*one) for one in some)) or "nothing" for some in (declared, found)]
    return [Difference("container", "publishes {1} instead of {0}".format(*texts), *texts)]


def _published(value: t.Any) -> str:
    return "" if str(value or "0") == "0" else str(value)


def _address(value: t.Any) -> str:
    try:
        return str(ipaddress.ip_address(str(value))) if value else ""
    except ValueError:
        return str(value)


def _shown(target: str, address: str, published: str) -> str:
    place = "[{0}]".format(address) if ":" in address else address
    return "{0}:{1}->{2}".format(place, published, target).lstrip(":")


def _networks(wanted: t.Mapping[str, str], there: t.Mapping[str, Mapping]) -> t.List[Difference]:
    found = []
    for name in sorted(wanted):
        if name not in there:
            found.append(Difference("network", "is not on network {0}".format(name), name, "none"))
        elif there[name].get("NetworkID") and wanted[name] and there[name]["NetworkID"] != wanted[name]:
            found.append(Difference("network", "is on a network {0} that was replaced".format(name), name, "another network of that name"))
    extra = sorted(set(there) - set(wanted) - set(_NO_NETWORKS))
    return found + [Difference("network", "is on network {0}, which is not declared".format(name), "none", name) for name in extra]


def _commands(body: Mapping, config: Mapping) -> t.List[Difference]:
    """Where it is declared as a list: how Compose splits a text is its own."""
    found = []
    for key, theirs in (("command", "Cmd"), ("entrypoint", "Entrypoint")):
        declared = body.get(key)
        if not isinstance(declared, list) or not declared or theirs not in config:
            continue
        words = [_literal(word) if isinstance(word, str) else None for word in declared]
        if None not in words and words != (config[theirs] or []):
            # A command line may hold anything, also what was never meant to be told.
            found.append(Difference("container", "runs another {0}".format(key), "as declared", "another one"))
    return found


def _environment(body: Mapping, config: Mapping) -> t.List[Difference]:
    """By the names of variables alone: a value may be anything."""
    if "Env" not in config:
        return []
    there = dict(text.partition("=")[::2] for text in config["Env"] or ())
    declared = body.get("environment")
    pairs = declared.items() if isinstance(declared, dict) else (str(text).partition("=")[::2] for text in declared or () if "=" in str(text))
    differing = []
    for name, value in pairs:
        text = _literal(str(value)) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
        if text is not None and there.get(name) != text:
            differing.append(name)
    if not differing:
        return []
    names = ", ".join(sorted(differing))
    return [Difference("container", "has another value of {0} in its environment".format(names), "as declared", "another value")]


def _literal(text: str) -> t.Optional[str]:
    """A text as Compose hands it on, or None where it puts in something of its own."""
    return None if "$" in text.replace("$$", "") else text.replace("$$", "$")
