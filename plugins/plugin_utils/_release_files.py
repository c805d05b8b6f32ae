# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a stack is written to its host: the release.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._builds import image_reference
from ansible_collections.portside.stack.plugins.plugin_utils._checks import normalised_checks
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import (
    compose_document,
    config_path,
    default_directory,
)
from ansible_collections.portside.stack.plugins.plugin_utils._edge import (
    CLOUDFLARED,
    NGINX,
    certificates,
    nginx_service,
    tunnel_service,
    with_edge,
)
from ansible_collections.portside.stack.plugins.plugin_utils._edge_files import edge_files, tunnel_config
from ansible_collections.portside.stack.plugins.plugin_utils._entry_wrapper import (
    Facts,
    visible_variables,
    wrapped_services,
)
from ansible_collections.portside.stack.plugins.plugin_utils._explicit_stack import explicit_stack
from ansible_collections.portside.stack.plugins.plugin_utils._logins import normalised_logins
from ansible_collections.portside.stack.plugins.plugin_utils._steps import normalised_steps
from ansible_collections.portside.stack.plugins.plugin_utils._used_secrets import idle_secrets, used_secrets
from ansible_collections.portside.stack.plugins.plugin_utils._yaml_text import compose_text

RECORD_FORMAT = 1

_HEADER = """\
# Stack {name}, written by portside.stack: change the declaration, not this file.
# By hand: docker compose -f {directory}/current/compose.yaml ps

"""


def release_files(
    stack: model.Mapping,
    directory: t.Optional[str] = None,
    secret_versions: t.Optional[t.Dict[str, int]] = None,
    images: t.Optional[t.Dict[str, str]] = None,
    image_facts: Facts = None,
) -> model.Mapping:
    """The files of a release, named by the digest of them all.

    ``images`` are the pins of the image references, ``image_facts`` what images say of themselves, by service. The Compose
    file, the record and the mounted files together make the release; what is declared for a hook or a lock is no part of it.
    """
    stack = with_edge(stack)
    directory = (directory or default_directory(stack)).rstrip("/")
    definition = compose_document(stack, directory, secret_versions or {}, images, image_facts)
    compose = _HEADER.format(name=stack["name"], directory=directory) + compose_text(definition)
    contents = _config_files(explicit_stack(stack), directory)
    facts = image_facts or {}
    of_edge = edge_files(stack, facts.get(nginx_service(stack)))
    record = {
        "format": RECORD_FORMAT,
        "stack": stack["name"],
        "declaration_digest": declaration_digest(stack),
        "images": {reference: pin for reference, pin in sorted((images or {}).items()) if reference in _references(stack)},
        "secrets": _secret_versions(stack, secret_versions or {}),
        "idle_secrets": idle_secrets(stack),
        "image_facts": {name: facts[name] for name in (*wrapped_services(stack), nginx_service(stack)) if name in facts},
        "visible": {name: sorted(one.name for one in variables) for name, variables in visible_variables(stack).items()},
        "files": sorted(contents),
        **({"edge": {"files": sorted(of_edge)}} if of_edge else {}),
        "logins": normalised_logins(stack, secret_versions or {}),
        "steps": normalised_steps(stack),
        "checks": normalised_checks(stack),
        "definition": definition,
    }
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    release_id = _digest([("compose.yaml", compose), ("release.json", text)] + sorted(contents.items()) + sorted(of_edge.items()))
    home = "{0}/releases/{1}/".format(directory, release_id)
    files = {path: {"content": content, "mode": "0644"} for path, content in sorted(contents.items())}
    files.update((home + path, {"content": content, "mode": "0644"}) for path, content in sorted(of_edge.items()))
    files[home + "compose.yaml"] = {"content": compose, "mode": "0644"}
    files[home + "release.json"] = {"content": text, "mode": "0600"}
    return {
        "id": release_id,
        "compose_file": home + "compose.yaml",
        "definition": definition,
        "files": files,
        "edges": _edges(stack, definition, of_edge),
        "acme": model.mapping(model.mapping(stack.get("edge")).get("tls")).get("kind") == "acme",
        "logins": record["logins"],
        "steps": record["steps"],
        "declaration_digest": record["declaration_digest"],
    }


def _edges(stack: model.Mapping, definition: model.Mapping, of_edge: t.Dict[str, str]) -> t.List[model.Mapping]:
    """What the programs of the edge are asked to judge before the release is written."""
    nginx, tunnel = nginx_service(stack), tunnel_service(stack)
    found = []
    if nginx:
        files = {path[len("edge/") :]: text for path, text in of_edge.items() if path.endswith(".conf")}
        needed = ["certificates/" + one.file for one in certificates(stack)]
        pairs = definition["x-portside"]["edge"].get("tls", {}).get("certificates", [])
        brought = [{"file": one["file"], "certificate": of_edge["edge/certificates/" + one["file"]], **one["key"]} for one in pairs]
        found.append({"service": nginx, "kind": NGINX, "files": files, "certificates": needed, "brought": brought})
    if tunnel:
        files = {"config.yml": tunnel_config(stack)}
        found.append({"service": tunnel, "kind": CLOUDFLARED, "files": files, "certificates": [], "brought": []})
    return [{**one, "image": definition["services"][one["service"]]["image"]} for one in found]


def declaration_digest(stack: model.Mapping) -> str:
    """The digest of what a declaration says: the same on every machine, whatever its paths, secrets and images are."""
    portable = {
        "definition": compose_document(stack),
        "builds": {name: service["build"] for name, service in model.active_services(stack).items() if "build" in service},
        "logins": normalised_logins(stack, dict.fromkeys(model.sections(stack, "secrets"), 1)),
        "steps": normalised_steps(stack),
        "checks": normalised_checks(stack),
    }
    return _digest([("declaration", json.dumps(portable, sort_keys=True, ensure_ascii=False, separators=(",", ":")))])


def _config_files(stack: model.Mapping, directory: str) -> t.Dict[str, str]:
    declared = model.sections(stack, "configs")
    used = {reference["source"] for service in model.active_services(stack).values() for reference in model.references(service, "configs")}
    return {config_path(directory, name, declared[name]["content"]): declared[name]["content"] for name in used}


def _references(stack: model.Mapping) -> t.Set[str]:
    return {image_reference(stack["name"], name, service) for name, service in model.active_services(stack).items()}


def _secret_versions(stack: model.Mapping, versions: t.Dict[str, int]) -> t.Dict[str, int]:
    used = used_secrets(stack)
    return {name: version for name, version in sorted(versions.items()) if name in used}


def _digest(items: t.Iterable[t.Tuple[str, str]]) -> str:
    digest = hashlib.sha256()
    for path, content in items:
        for text in (path, content):
            data = text.encode("utf-8")
            digest.update(str(len(data)).encode("ascii") + b":" + data)
    return digest.hexdigest()[:16]
