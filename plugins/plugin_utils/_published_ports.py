# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Compose service publishes, and whom that reaches.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

What the engine makes of an entry depends on the networks as much as on its address: the facts are in docs/exposure.md.
In doubt a port is public.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._ports import EXAMPLE, Port, is_loopback, parse_port
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import did_you_mean, shown

INTERNAL, LOOPBACK, PUBLIC = REACHES = ("internal", "loopback", "public")
# Their containers have addresses of their own in the network around the host.
_OWN_ADDRESS = ("macvlan", "ipvlan")
OF_THE_HOST = "network of the host"
_GATEWAY_MODE = "com.docker.network.bridge.gateway_mode_"
_TRUSTED = "com.docker.network.bridge.trusted_host_interfaces"
_BINDING = "com.docker.network.bridge.host_binding_ipv4"


class Reach(t.NamedTuple):
    """Whom the ports of a service reach, by the networks that it is on."""

    # Why others reach all that it listens on, whatever is published; empty where they do not.
    wide: str = ""
    # Whether ports of the host lead to it.
    translated: bool = True
    # Why others reach what is published at the container itself, whatever the address; empty where they do not.
    direct: str = ""
    # Whether everybody has to ask for the container's own port there.
    routed: bool = False
    # The address of entries without one.
    address: str = ""

    def of(self, host_ip: str) -> str:
        """Whom an entry reaches: internal, loopback or public."""
        if self.wide or self.direct or (self.translated and not is_loopback(host_ip or self.address)):
            return PUBLIC
        return LOOPBACK if self.translated else INTERNAL


def published_ports(service: t.Any, networks: t.Any = None, swarm: bool = False) -> t.List[model.Mapping]:
    """The entries of `ports` as Compose resolves them, and whether anything but this host reaches them."""
    if not isinstance(service, dict):
        raise StackError("value {0} is not a service; give the mapping with its `ports`.".format(shown(service)))
    reach = network_reach(service, networks, swarm)
    found: t.Dict[t.Tuple[t.Any, ...], Port] = {}
    for index, value, given in read_ports(service):
        _refuse_unset(index, value)
        port = _in_swarm(index, value, given) if swarm else given
        # As Compose does: what is the same is one entry, the last one.
        found[(port.host_ip or "0.0.0.0", port.published, port.target, port.protocol)] = port
    if found:
        _refuse_shared(service, swarm)
    return [
        {
            "host_ip": port.host_ip,
            "published": port.published,
            "target": port.target,
            "protocol": port.protocol,
            "public": reach.of(port.host_ip) == PUBLIC,
        }
        for port in found.values()
    ]


def read_ports(service: model.Mapping) -> t.Iterator[t.Tuple[int, t.Any, Port]]:
    """All entries with their place and what they were read from; errors name the place."""
    given = service.get("ports", [])
    if not isinstance(given, list):
        raise StackError("key 'ports': value {0} is not a list; write a list such as [{1}].".format(shown(given), EXAMPLE))
    for index, value in enumerate(given):
        try:
            ports = parse_port(value)
        except StackError as error:
            raise StackError("key 'ports[{0}]': {1}{2}".format(index, error, "" if str(error).endswith("?") else ".")) from error
        for port in ports:
            yield index, value, port


def _refuse_unset(index: int, value: t.Any) -> None:
    unset = [str(key) for key, item in value.items() if item is None] if isinstance(value, dict) else []
    if unset:
        text = "key 'ports[{0}].{1}': it has no value, which Compose refuses; give it one, or leave the key out."
        raise StackError(text.format(index, unset[0]))


def _refuse_shared(service: model.Mapping, swarm: bool) -> None:
    mode = service.get("network_mode")
    if isinstance(mode, str) and mode.startswith(("service:", "container:")) and not swarm:
        text = "key 'ports': with network_mode {0} the container has no network of its own, and the engine refuses `ports`; publish them on {1!r} instead."
        raise StackError(text.format(mode, mode.partition(":")[2]))


def _in_swarm(index: int, value: t.Any, port: Port) -> Port:
    """`docker stack deploy` drops the address of the short form, telling nobody, and refuses that of the long one."""
    if port.host_ip and isinstance(value, dict):
        text = "key 'ports[{0}].host_ip': {1} is refused in a swarm, where every node listens on all its addresses; leave it out, and filter the port."
        raise StackError(text.format(index, port.host_ip))
    return port._replace(host_ip="")


# -- networks ------------------------------------------------------------------------------------------------------


def network_reach(service: model.Mapping, networks: t.Any = None, swarm: bool = False) -> Reach:
    """What the networks of a service make of its ports. Without ``networks`` nothing is known of them."""
    given = model.mapping(service)
    joined = _joined(given, networks)
    if swarm:
        # Every node passes published ports on, over a network of the swarm's own, whatever the service is on.
        return Reach()
    mode = given.get("network_mode")
    if mode is not None:
        if "networks" in given:
            raise StackError("key 'network_mode': Compose refuses it together with `networks`; keep one of them.")
        return _of_mode(str(mode))
    declared = [(key, model.sections({"networks": networks}, "networks").get(key, {})) for key in joined]
    return _of_networks([(key, options) for key, options in declared if options.get("internal") is not True or options.get("external")])


def _joined(service: model.Mapping, networks: t.Any) -> t.List[str]:
    if networks is not None and not isinstance(networks, dict):
        raise StackError("networks: value {0} is not a mapping; give the top-level `networks`.".format(shown(networks)))
    joined = model.service_networks(service)
    for key in joined:
        if networks is not None and key not in networks and key != "default":
            hint = did_you_mean(key, networks) or "declare it there, as in {{{0}: {{}}}}.".format(key)
            raise StackError("key 'networks': {0!r} is not one of the top-level `networks`; {1}".format(key, hint))
    return joined


def _of_mode(mode: str) -> Reach:
    if mode == "host":
        return Reach(wide=OF_THE_HOST)
    return Reach(translated=mode != "none" and not mode.startswith(("service:", "container:")))


def _of_networks(reaching: t.List[t.Tuple[str, model.Mapping]]) -> Reach:
    """By the networks that are not internal."""
    wide, direct, routed, addresses = "", "", False, []
    for key, options in reaching:
        driver, given = options.get("driver"), model.mapping(options.get("driver_opts"))
        modes = {family: str(given.get(_GATEWAY_MODE + family, "")).lower() for family in ("ipv4", "ipv6")}
        if driver in _OWN_ADDRESS:
            wide = wide or "address of its own on {0} ({1})".format(key, driver)
        elif options.get("external") and _external_name(key, options) == "host":
            wide = OF_THE_HOST
        else:
            if "nat-unprotected" in modes.values():
                wide = wide or "unprotected on {0} (nat-unprotected)".format(key)
            if "routed" in modes.values():
                direct, routed = direct or "routed on {0}".format(key), True
            if given.get(_TRUSTED):
                direct = direct or "reached from {0} on {1} (trusted_host_interfaces)".format(given[_TRUSTED], key)
            if modes["ipv4"] != "routed":
                addresses.append(str(given.get(_BINDING, "")))
    # The engine picks the network that a port of the host is bound for: all must agree.
    loopback = bool(addresses) and all(is_loopback(address) for address in addresses)
    return Reach(wide, bool(addresses), direct, routed, addresses[0] if loopback else "")


def _external_name(key: str, options: model.Mapping) -> str:
    legacy = model.mapping(options["external"]).get("name")
    return str(options.get("name") or legacy or key)
