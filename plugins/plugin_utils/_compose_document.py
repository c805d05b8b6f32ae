# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Compose document of a stack: the user's services with production policy on top.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Keys stay where the user wrote them; what policy adds comes after. Declarations
that the stack's problems name are not judged again here.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._edge_places import MOUNT
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._ports import parse_ports
from ansible_collections.portside.stack.plugins.module_utils._secrets import secret_path
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._builds import image_reference
from ansible_collections.portside.stack.plugins.plugin_utils._edge import nginx_service, with_edge
from ansible_collections.portside.stack.plugins.plugin_utils._edge_files import edge_record
from ansible_collections.portside.stack.plugins.plugin_utils._entry_wrapper import (
    Facts,
    visible_variables,
    wrapped_services,
)
from ansible_collections.portside.stack.plugins.plugin_utils._explicit_stack import explicit_stack
from ansible_collections.portside.stack.plugins.plugin_utils._exposure_routes import recorded_routes
from ansible_collections.portside.stack.plugins.plugin_utils._unpublished_ports import unpublished_ports
from ansible_collections.portside.stack.plugins.plugin_utils._volumes import directories, has_owner, uncopied_mounts, with_owner

LABEL_STACK = "portside.stack"
LABEL_DIGEST = "portside.digest"
LOG_OPTIONS = {"max-size": "10m", "max-file": "5"}
LOOPBACK = "127.0.0.1"
# A daemon may bind what has no address to loopback (role docker makes it so, for
# containers started by hand). In a stack the exposure decides: a port without an
# address is public there, over IPv4 and IPv6.
_PUBLIC_BY_DEFAULT = {"com.docker.network.bridge.host_binding_ipv4": "0.0.0.0"}
# What Compose applies without a new container.
_NOT_IN_DIGEST = ("depends_on", "pull_policy", "scale")


def compose_document(
    stack: model.Mapping,
    directory: t.Optional[str] = None,
    secret_versions: t.Optional[t.Dict[str, int]] = None,
    images: t.Optional[t.Dict[str, str]] = None,
    image_facts: Facts = None,
) -> model.Mapping:
    """The Compose document of a declared stack that has no problems.

    ``images`` are the pins of image references; a reference without one stays as it is. Without versions each secret
    has its first one, and without facts of an image a service has what it declares itself: that serves to judge it.
    """
    return _Renderer(model.mapping(stack), directory, secret_versions, images or {}, image_facts).document()


def config_digest(content: str) -> str:
    """The short name of a mounted file's content."""
    return hashlib.sha256(content.encode("utf-8")).hexdigest()[:12]


def config_path(directory: str, name: str, content: str) -> str:
    """Where a mounted file lies: a path that is never given other content."""
    return "{0}/files/{1}/{2}".format(directory, config_digest(content), name)


def default_directory(stack: model.Mapping) -> str:
    """Where a stack lives on its host."""
    return "{0}/{1}".format(model.STACK_ROOT, stack["name"])


class _Renderer:
    def __init__(
        self,
        stack: model.Mapping,
        directory: t.Optional[str],
        versions: t.Optional[t.Dict[str, int]],
        images: t.Dict[str, str],
        image_facts: Facts,
    ) -> None:
        self.stack = explicit_stack(stack, image_facts)
        self.name = stack["name"]
        self.edge = nginx_service(stack)
        self.directory = (directory or default_directory(stack)).rstrip("/")
        self.versions = versions
        self.images = images
        self.services = model.active_services(self.stack)
        # What is waited for is as declared, whatever health check the image of a wrapped service has.
        self.declared = model.active_services(with_edge(stack))
        self.one_shots = model.one_shots(self.services)
        self.exposure = model.mapping(stack.get("exposure"))
        self.visible = visible_variables(stack)
        self.edge_facts = (image_facts or {}).get(self.edge)
        self.configs: t.Dict[str, str] = {}
        self.secrets: t.Dict[str, str] = {}

    def document(self) -> model.Mapping:
        services = {name: self._service(name, service) for name, service in self.services.items()}
        networks, made_networks = self._named("networks", model.service_networks, {"driver": "bridge"})
        for options in made_networks.values():
            if options["driver"] == "bridge":
                options["driver_opts"] = {**_PUBLIC_BY_DEFAULT, **model.mapping(options.get("driver_opts"))}
        volumes, made_volumes = self._named("volumes", model.service_volumes, {})
        for name, service in services.items():
            service["labels"][LABEL_DIGEST] = self._digest(name, service, networks, volumes)
        found = {
            "name": self.name,
            "services": services,
            "networks": networks,
            "volumes": volumes,
            "configs": {source: {"file": path} for source, path in sorted(self.configs.items())},
            "secrets": {source: {"file": path} for source, path in sorted(self.secrets.items())},
            "x-portside": {"networks": made_networks, "volumes": made_volumes},
        }
        wrapped = wrapped_services(self.stack)
        if wrapped:
            found["x-portside"]["secret_environment"] = wrapped
        made_directories = directories(self.stack)
        if self.edge:
            made_directories = {**made_directories, self.edge_directory: {"uid": 0, "gid": 0, "mode": "0755"}}
        of_edge = edge_record(self.stack, self.versions, self.edge_facts)
        if of_edge:
            found["x-portside"]["edge"] = of_edge
        if made_directories:
            found["x-portside"]["directories"] = made_directories
        # What is told of who is reachable on the host, where nobody has the declaration.
        for key, told in (
            ("routes", recorded_routes(self.stack)),
            ("waivers", model.sequence(self.stack.get("waivers"))),
            ("self_healing", model.mapping(self.stack.get("self_healing"))),
            ("unpublished_ports", unpublished_ports(self.stack)),
        ):
            if told:
                found["x-portside"][key] = told
        return {key: value for key, value in found.items() if value}

    @property
    def edge_directory(self) -> str:
        """The one directory that the edge mounts, whatever the release: files are replaced in it."""
        return self.directory + "/edge"

    def _service(self, name: str, service: model.Mapping) -> model.Mapping:
        rendered = {}
        for key, value in service.items():
            if key in _OPTIONS:
                value = _without_unset(value)
            if key in _POLICY:
                value = getattr(self, _POLICY[key])(name, value)
            if key in ("image", "build"):
                rendered["image"] = self._image(name)
            elif value is not None and key != "profiles":
                rendered[key] = value
        files = [self._secret_path(name, one.secret, variable=one.name) for one in self.visible.get(name, ())]
        if files:
            rendered["env_file"] = files
        if name == self.edge:
            mount = {"type": "bind", "source": self.edge_directory, "target": MOUNT, "read_only": True}
            rendered["volumes"] = [*rendered.get("volumes", ()), mount]
        implied = self._depends_on(name, None)
        if implied:
            rendered["depends_on"] = implied
        reserved = model.mapping(model.mapping(model.mapping(service.get("deploy")).get("resources")).get("reservations"))
        if "cpus" in reserved:
            rendered.setdefault("cpu_shares", max(2, round(float(reserved["cpus"]) * 1024)))
        rendered.setdefault("restart", "no" if name in self.one_shots else "unless-stopped")
        rendered.setdefault("logging", {"driver": "json-file", "options": dict(LOG_OPTIONS)})
        rendered["labels"] = {**rendered.get("labels", {}), LABEL_STACK: self.name}
        return rendered

    def _image(self, name: str) -> str:
        reference = image_reference(self.name, name, self.services[name])
        return self.images.get(reference, reference)

    def _labels(self, _name: str, value: t.Any) -> t.Dict[str, t.Any]:
        return {label: "" if text is None else text for label, text in model.pairs(value).items()}

    def _depends_on(self, name: str, _value: t.Any) -> t.Optional[model.Mapping]:
        return {
            target: {**options, "condition": model.condition(target, self.declared, options)}
            for target, options in model.dependencies(self.services[name]).items()
            if target in self.services
        } or None

    def _ports(self, name: str, value: t.Any) -> t.Optional[t.List[model.Mapping]]:
        exposure = self.exposure.get(name, "internal")
        if exposure not in ("public", "loopback"):
            return None
        addresses = [LOOPBACK] if exposure == "loopback" else self._everywhere(name)
        try:
            return [port.entry(address) for port in parse_ports(value) for address in addresses] or None
        except StackError as error:
            raise StackError("stack '{0}', service '{1}', key 'ports': {2}".format(self.name, name, error)) from error

    def _everywhere(self, name: str) -> t.List[str]:
        """No address where the networks are made here; elsewhere both, since such a network may bind to loopback."""
        declared = model.sections(self.stack, "networks")
        foreign = [key for key in model.service_networks(self.services[name]) if declared.get(key, {}).get("external")]
        return ["0.0.0.0", "::"] if foreign or "network_mode" in self.services[name] else [""]

    def _configs(self, name: str, _value: t.Any) -> t.List[model.Mapping]:
        rendered = []
        for reference in model.references(self.services[name], "configs"):
            content = model.mapping(model.mapping(self.stack.get("configs")).get(reference["source"])).get("content")
            if not isinstance(content, str):
                raise StackError(self._unknown(name, "configs", reference["source"], "declare its content"))
            source = "{0}_{1}".format(reference["source"], config_digest(content))
            self.configs[source] = config_path(self.directory, reference["source"], content)
            rendered.append(_renamed(reference, source, target="/" + reference["source"]))
        return rendered

    def _secrets(self, name: str, _value: t.Any) -> t.List[model.Mapping]:
        rendered = []
        for reference in model.references(self.services[name], "secrets"):
            secret = reference["source"]
            path = self._secret_path(name, secret, *model.variant(reference))
            source = "{0}_v{1}".format(secret, path.rpartition("/")[2])
            self.secrets[source] = path
            # Compose ignores the owner and mode of file secrets: the file itself carries them.
            kept = {key: item for key, item in reference.items() if key not in ("uid", "gid", "mode")}
            rendered.append(_renamed(kept, source, target=secret))
        return rendered

    def _secret_path(self, service: str, secret: str, *owner: t.Any, variable: str = "") -> str:
        versions = {secret: 1} if self.versions is None else self.versions
        if secret not in versions:
            raise StackError(self._unknown(service, "secrets", secret, "pass the versions that secret_files returns"))
        return secret_path(self.directory + "/secrets", secret, versions[secret], *owner, variable=variable)

    def _volumes(self, name: str, _value: t.Any) -> t.List[t.Any]:
        owned = {key for key, options in model.sections(self.stack, "volumes").items() if has_owner(options)}
        return uncopied_mounts(self.services[name], owned)

    def _unknown(self, service: str, key: str, source: str, remedy: str) -> str:
        return "stack '{0}', service '{1}', key '{2}': nothing is known of '{3}': {4}".format(self.name, service, key, source, remedy)

    def _named(self, kind: str, used_by: t.Callable[[model.Mapping], t.List[str]], defaults: model.Mapping) -> t.Tuple[model.Mapping, model.Mapping]:
        """The networks or volumes that services use: as Compose sees them, and as they are made."""
        declared = model.sections(self.stack, kind)
        used = {key for service in self.services.values() for key in used_by(service)}
        ordered = [key for key in declared if key in used] + sorted(used - set(declared))
        seen, made = {}, {}
        for key in ordered:
            options = declared.get(key, {})
            name = model.real_name(self.name, key, options)
            seen[key] = {"name": name, "external": True}
            if not options.get("external"):
                kept = {option: value for option, value in options.items() if option not in ("name", "external")}
                made[name] = {**defaults, **(with_owner(kept) if kind == "volumes" else kept)}
        return seen, made

    def _digest(self, name: str, service: model.Mapping, networks: model.Mapping, volumes: model.Mapping) -> str:
        """Over everything that calls for a new container, in whatever order it was written."""
        deploy = {key: value for key, value in model.mapping(service.get("deploy")).items() if key != "replicas"}
        kept = {key: value for key, value in service.items() if key not in _NOT_IN_DIGEST}
        kept["deploy"] = deploy
        declared = self.services[name]
        mounted = {item["source"] for key in ("configs", "secrets") for item in service.get(key, ())}
        files = {**self.configs, **self.secrets}
        subject = {
            "service": kept,
            "networks": {key: networks[key]["name"] for key in model.service_networks(declared)},
            "volumes": {key: volumes[key]["name"] for key in model.service_volumes(declared)},
            "files": {source: files[source] for source in mounted},
        }
        text = json.dumps(subject, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def _renamed(reference: model.Mapping, source: str, target: str) -> model.Mapping:
    return {**reference, "source": source, "target": reference.get("target", target)}


def _without_unset(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _without_unset(item) for key, item in value.items() if item is not None}
    return value


# Keys made of options only, where Compose refuses one without a value.
_OPTIONS = ("deploy", "healthcheck", "logging")
_POLICY = {
    "configs": "_configs",
    "depends_on": "_depends_on",
    "labels": "_labels",
    "ports": "_ports",
    "secrets": "_secrets",
    "volumes": "_volumes",
}
