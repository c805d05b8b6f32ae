# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A declared stack read for rendering and for judging: one reading for both.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Everything here bears any input: what has the wrong shape counts as absent,
so that the judging can go on and report it. A key without a value is absent.
"""

from __future__ import annotations

import re
import typing as t

Mapping = t.Dict[str, t.Any]

STACK_ROOT = "/opt/stacks"
# Where a container finds its secrets.
SECRETS = "/run/secrets/"
HEALTHY = "service_healthy"
COMPLETED = "service_completed_successfully"
STARTED = "service_started"
CONDITIONS = (STARTED, HEALTHY, COMPLETED)
SHARING_KEYS = ("network_mode", "ipc", "pid")


def mapping(value: t.Any) -> Mapping:
    """The mapping without its unset keys; empty for anything else."""
    return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else {}


def sequence(value: t.Any) -> t.List[t.Any]:
    """The list; empty for anything else."""
    return value if isinstance(value, list) else []


def sections(stack: Mapping, key: str) -> t.Dict[str, Mapping]:
    """A mapping of mappings such as `volumes`, where an entry may be left empty."""
    found = stack.get(key)
    return {str(name): mapping(item) for name, item in found.items()} if isinstance(found, dict) else {}


def services_of(stack: Mapping) -> t.Dict[str, Mapping]:
    """All services that are mappings, also those whose profile is off."""
    found = mapping(stack.get("services"))
    return {str(name): mapping(item) for name, item in found.items() if isinstance(item, dict)}


def active_services(stack: Mapping) -> t.Dict[str, Mapping]:
    """The services that run: without a profile, or with an enabled one."""
    enabled = {str(name) for name in sequence(stack.get("profiles"))}
    return {
        name: service
        for name, service in services_of(stack).items()
        if not sequence(service.get("profiles")) or "*" in enabled or enabled & {str(item) for item in sequence(service["profiles"])}
    }


def shared_services(service: Mapping) -> t.Dict[str, str]:
    """The keys by which a service lives in another one's namespace, and that one's name."""
    found = {key: service.get(key) for key in SHARING_KEYS}
    return {key: value[len("service:") :] for key, value in found.items() if isinstance(value, str) and value.startswith("service:")}


def dependencies(service: Mapping) -> t.Dict[str, Mapping]:
    """Every service this one needs, with the options given for it."""
    given = service.get("depends_on")
    if isinstance(given, dict):
        found = {str(name): mapping(options) for name, options in given.items()}
    else:
        found = {name: {} for name in sequence(given) if isinstance(name, str)}
    for name in shared_services(service).values():
        found.setdefault(name, {})
    return found


def one_shots(services: t.Dict[str, Mapping]) -> t.Set[str]:
    """The services that run once and end."""
    awaited = {name for service in services.values() for name, options in dependencies(service).items() if options.get("condition") == COMPLETED}
    return {name for name, service in services.items() if name in awaited or service.get("restart") == "no"}


def has_healthcheck(service: Mapping) -> bool:
    """Whether the service declares one; without a `test` it tunes the image's own."""
    check = mapping(service.get("healthcheck"))
    test = check.get("test")
    off = check.get("disable") is True or test == "NONE" or (isinstance(test, list) and test[:1] == ["NONE"])
    return bool(check) and not off


def condition(name: str, services: t.Dict[str, Mapping], options: Mapping) -> str:
    """When a dependency is fulfilled: as declared, or the strictest that the target can meet."""
    if options.get("condition"):
        return str(options["condition"])
    if name in one_shots(services):
        return COMPLETED
    return HEALTHY if has_healthcheck(services[name]) else STARTED


def replicas(service: Mapping) -> t.Any:
    """How many containers the service has."""
    return mapping(service.get("deploy")).get("replicas", service.get("scale", 1))


def pairs(value: t.Any) -> t.Dict[str, t.Any]:
    """Compose's `list or mapping` as a mapping; an entry without `=` has no value."""
    if isinstance(value, dict):
        return {str(key): item for key, item in value.items()}
    split = [item.partition("=") for item in sequence(value) if isinstance(item, str)]
    return {name: text if equals else None for name, equals, text in split}


def references(service: Mapping, key: str) -> t.List[Mapping]:
    """The service's `configs` or `secrets` in the long form."""
    found = [{"source": item} if isinstance(item, str) else mapping(item) for item in sequence(service.get(key))]
    return [item for item in found if isinstance(item.get("source"), str)]


def mount_path(reference: Mapping, base: str = SECRETS) -> str:
    """Where in the container a reference to a secret has its file; one to a config, below another base."""
    target = str(reference.get("target", reference["source"]))
    return target if target.startswith("/") else base + target


class Variant(t.NamedTuple):
    """Who may read a secret's file."""

    uid: int = 0
    gid: int = 0
    mode: str = "0400"


def variant(reference: Mapping) -> Variant:
    """The owner and mode that a service's reference to a secret asks for."""
    mode = reference.get("mode", "0400")
    return Variant(int(reference.get("uid", 0)), int(reference.get("gid", 0)), "{0:04o}".format(int(str(mode), 8)))


def service_networks(service: Mapping) -> t.List[str]:
    """The keys of the networks the service joins."""
    if "network_mode" in service:
        return []
    given = service.get("networks")
    names = given if isinstance(given, (dict, list)) else []
    return [name for name in names if isinstance(name, str)] or ["default"]


def volume_source(mount: t.Any) -> str:
    """What a mount takes its files from: a volume's key, a path, or nothing (anonymous)."""
    if isinstance(mount, dict):
        source = mount.get("source", mount.get("src"))
        return source if isinstance(source, str) and mount.get("type") in ("volume", "bind") else ""
    source, colon, _target = mount.partition(":") if isinstance(mount, str) else ("", "", "")
    return source if colon else ""


def service_volumes(service: Mapping) -> t.List[str]:
    """The keys of the named volumes the service mounts."""
    found = []
    for mount in sequence(service.get("volumes")):
        source = volume_source(mount)
        is_volume = mount.get("type") == "volume" if isinstance(mount, dict) else not is_path(source)
        if source and is_volume and source not in found:
            found.append(source)
    return found


def is_path(source: str) -> bool:
    """Whether Compose takes a short mount's source for a path rather than a volume's key."""
    return source[:1] in ("/", ".", "~") or "/" in source or bool(re.match(r"[A-Za-z]:\\", source))


def real_name(stack_name: str, key: str, options: Mapping) -> str:
    """What the engine calls a network or volume."""
    return str(options.get("name") or (key if options.get("external") else "{0}_{1}".format(stack_name, key)))
