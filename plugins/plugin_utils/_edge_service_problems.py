# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of what is declared for the service that is the edge, and for the tunnel in front of one.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

What the user writes wins over what is made, so what would make another program of it is refused.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._edge_places import MOUNT
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._ports import Port, parse_port
from ansible_collections.portside.stack.plugins.plugin_utils import _compose_grammar as grammar
from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edges
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._secret_environment import secret_environment

Services = t.Dict[str, model.Mapping]

# Where the image of nginx has configuration that this edge does not read.
_UNREAD = ("/etc/nginx/conf.d/", "/etc/nginx/templates/", "/etc/nginx/nginx.conf")
# By each of them cloudflared is told another tunnel, or other rules: https://github.com/cloudflare/cloudflared/tree/master/cmd/cloudflared
_TUNNEL_VARIABLES = (
    "TUNNEL_TOKEN",
    "TUNNEL_TOKEN_FILE",
    "TUNNEL_CRED_FILE",
    "TUNNEL_CRED_CONTENTS",
    "TUNNEL_NAME",
    "TUNNEL_HOSTNAME",
    "TUNNEL_URL",
    "TUNNEL_UNIX_SOCKET",
    "TUNNEL_HELLO_WORLD",
    "TUNNEL_BASTION",
)


def edge_service_problems(report: Report, stack: model.Mapping, services: Services) -> None:
    """Judges the services that the edge is made of."""
    nginx, tunnel = edges.nginx_service(stack), edges.tunnel_service(stack)
    if nginx and nginx == tunnel:
        report.add("edge.service", "{0!r} is the service of the tunnel in front of it; choose another name".format(nginx))
        return
    for name, program, other in ((nginx, edges.NGINX, edges.CLOUDFLARED), (tunnel, edges.CLOUDFLARED, edges.NGINX)):
        if name and name in services:
            about = report.of(name)
            _program_problems(about, stack, name, services[name], program, other)
            _life_problems(about, name, services, model.active_services(stack))
            _replica_problems(about, services[name], program)
    _network_problems(report, stack, nginx, tunnel, services)
    exposure = model.mapping(stack.get("exposure"))
    for name in [one for one in (nginx, tunnel) if one and (one == tunnel or tunnel)]:
        if exposure.get(name) in ("public", "loopback"):
            text = "the tunnel opens its connections from inside, and nothing need be reachable; take {0} out of `exposure`"
            report.add("exposure.{0}".format(name), text.format(name))
    if nginx in services:
        _nginx_problems(report.of(nginx), services[nginx])
        if not tunnel:
            _reach_problems(report, nginx, services[nginx], exposure.get(nginx), bool(edges.edge_of(stack).get("tls")))
    if tunnel in services:
        _tunnel_problems(report.of(tunnel), stack, tunnel, services[tunnel])


def _program_problems(report: Report, stack: model.Mapping, name: str, service: model.Mapping, program: str, other: str) -> None:
    made = model.services_of(edges.with_edge({**stack, "services": {}}))[name]
    if service.get("command") != made["command"]:
        report.add("command", "the edge is started as `{0}`, by which it finds its configuration; leave `command` out".format(" ".join(made["command"])))
    if "entrypoint" in service:
        report.add("entrypoint", "the edge is started by its image's own; leave `entrypoint` out")
    image = service.get("image")
    if isinstance(image, str) and _program(image) == other:
        report.add("image", "value {0} is {1}, and this service is {2}; name an image of it, or change edge.kind".format(shown(image), other, program))
    if "network_mode" in service:
        report.add("network_mode", "the edge finds services by their names on the networks that it shares with them; leave network_mode out")


def _program(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _life_problems(report: Report, name: str, services: Services, active: t.Container[str]) -> None:
    service = services[name]
    if name not in active:
        profiles = [str(item) for item in model.sequence(service.get("profiles"))]
        text = "the edge does not run, because no profile of it is enabled; leave `profiles` out there, or add one of {0} to those of the stack"
        report.add("profiles", text.format(", ".join(profiles)))
    if name in model.one_shots(services):
        how = "restart: no" if service.get("restart") == "no" else "condition: service_completed_successfully"
        report.add("restart", "with {0} it counts as a service that runs once and ends, and the edge goes on; take that out".format(how))
    if not model.has_healthcheck(service) or "test" not in model.mapping(service.get("healthcheck")):
        report.add("healthcheck", "a release waits until its edge is healthy; give it a test, or leave healthcheck out to have one made")


def _replica_problems(report: Report, service: model.Mapping, program: str) -> None:
    count = model.replicas(service)
    if not grammar.is_count(count):
        return
    if int(count) < 1:
        report.add("deploy.replicas", "with {0} containers nothing answers; write 1".format(count))
    elif int(count) > 1 and program == edges.NGINX:
        report.add("deploy.replicas", "{0} containers would read the one directory of the edge, of which only one is verified; write 1".format(count))


def _network_problems(report: Report, stack: model.Mapping, nginx: str, tunnel: str, services: Services) -> None:
    """What a tunnel has to reach: Cloudflare, and the nginx behind it."""
    joined = model.service_networks(services.get(tunnel, {}))
    declared = model.sections(stack, "networks")
    if tunnel in services and joined and all(declared.get(one, {}).get("internal") is True for one in joined):
        report.of(tunnel).add("networks", "all of them are internal, from where Cloudflare cannot be reached; add one that is not, such as default")
    behind = model.service_networks(services.get(nginx, {}))
    if nginx in services and tunnel in services and joined and behind and not set(joined) & set(behind):
        text = "the tunnel is on {0}, and nginx behind it ({1!r}) on {2}; leave `networks` out at both, or let them join the same one"
        report.of(tunnel).add("networks", text.format(", ".join(joined), nginx, ", ".join(behind)))


def _nginx_problems(report: Report, service: model.Mapping) -> None:
    for index, mount in enumerate(model.sequence(service.get("volumes"))):
        if _is_below(_mount_target(mount), MOUNT):
            report.add("volumes[{0}]".format(index), "{0} is the directory of the edge itself; mount it elsewhere".format(MOUNT))
    for key, base in (("configs", "/"), ("secrets", model.SECRETS)):
        for index, reference in enumerate(model.references(service, key)):
            target = model.mount_path(reference, base)
            if _is_below(target, MOUNT):
                report.add("{0}[{1}]".format(key, index), "{0} is the directory of the edge itself; give it another target".format(MOUNT))
            elif target.startswith(_UNREAD):
                text = "nothing reads {0}: the configuration is made of `edge` and `routes`; say it there, and take the file out"
                report.add("{0}[{1}]".format(key, index), text.format(target))
    user = str(service.get("user", "0")).partition(":")[0]
    if user not in ("0", "root"):
        report.add("user", "nginx reads keys as root, and gives its workers another user by itself; leave `user` out")


def _reach_problems(report: Report, name: str, service: model.Mapping, exposure: t.Any, tls: bool) -> None:
    if exposure not in ("public", "loopback"):
        hint = "write exposure: {{{0}: public}}, or loopback".format(name)
        report.add("exposure.{0}".format(name), "nothing says who may reach the edge, so nobody could; {0}".format(hint))
        return
    about = report.of(name)
    ports = _ports(service)
    listening = (80, 443) if tls else (80,)
    for number in listening:
        if not any(port.target == number and port.protocol == "tcp" for _index, port in ports):
            about.add("ports", "none leads to {0}, where nginx listens; add {{target: {0}, published: {0}}}, or leave `ports` out".format(number))
    for index, port in ports:
        if port.target not in listening or port.protocol != "tcp":
            text = "nginx does not listen on {0}/{1}, only on {2}; take it out"
            hint = " and ".join("{0}/tcp".format(number) for number in listening) + ("" if tls or port.target != 443 else " without edge.tls")
            about.add("ports[{0}]".format(index), text.format(port.target, port.protocol, hint))


def _ports(service: model.Mapping) -> t.List[t.Tuple[int, Port]]:
    """All that can be read; what cannot is told elsewhere."""
    found = []
    for index, value in enumerate(model.sequence(service.get("ports"))):
        try:
            found += [(index, port) for port in parse_port(value)]
        except StackError:
            continue
    return found


def _tunnel_problems(report: Report, stack: model.Mapping, name: str, service: model.Mapping) -> None:
    plain = [("environment." + variable, variable) for variable in model.pairs(service.get("environment"))]
    hidden = [("secret_environment." + variable.name, variable.name) for variable in secret_environment(stack, name)]
    for key, variable in plain + hidden:
        if variable in _TUNNEL_VARIABLES:
            report.add(key, "it would make this another tunnel, with other rules than the routes; take it out, edge.tunnel and edge.credentials say which")
    for index, reference in enumerate(model.references(service, "configs")):
        if model.mount_path(reference, "/") == edges.CLOUDFLARED_CONFIG:
            text = "the configuration is made of `edge` and `routes`, and stands there; take the file out"
            report.add("configs[{0}]".format(index), text)
    credentials = model.mapping(stack.get("edge")).get("credentials")
    for index, reference in enumerate(model.references(service, "secrets")):
        if reference["source"] == credentials and model.mount_path(reference) != model.SECRETS + edges.CREDENTIALS:
            text = "cloudflared looks for its credentials at {0}; write target: {1}, or take it out, and it is mounted there"
            report.add("secrets[{0}]".format(index), text.format(model.SECRETS + edges.CREDENTIALS, edges.CREDENTIALS))


def _mount_target(mount: t.Any) -> str:
    if isinstance(mount, dict):
        return str(mount.get("target", mount.get("dst", "")))
    parts = mount.split(":") if isinstance(mount, str) else [""]
    return parts[1] if len(parts) > 1 else parts[0]


def _is_below(path: str, directory: str) -> bool:
    return (path.rstrip("/") + "/").startswith(directory + "/")
