# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of an edge is written to its host: its configuration, and what the host has to know to activate it.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _edge as edge
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_ingress import cloudflared_ingress
from ansible_collections.portside.stack.plugins.plugin_utils._edge_external import external_files
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_config import config_digest_of, nginx_config
from ansible_collections.portside.stack.plugins.plugin_utils._yaml_text import yaml_text

# No declared config can be called so.
_TUNNEL_CONFIG = "_cloudflared.yml"
_ACME = "https://acme-v02.api.letsencrypt.org/directory"
_ACME_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"

Versions = t.Optional[t.Dict[str, int]]


def with_tunnel_config(stack: model.Mapping) -> model.Mapping:
    """The stack with the configuration of its tunnel as a file: cloudflared reads it once, so a change makes a new container."""
    name = edge.tunnel_service(stack)
    service = model.services_of(stack).get(name)
    if not name or service is None:
        return stack
    reference = {"source": _TUNNEL_CONFIG, "target": edge.CLOUDFLARED_CONFIG}
    mounted = {**service, "configs": [*model.sequence(service.get("configs")), reference]}
    configs = {**model.mapping(stack.get("configs")), _TUNNEL_CONFIG: {"content": tunnel_config(stack)}}
    return {**stack, "services": {**stack["services"], name: mounted}, "configs": configs}


def tunnel_config(stack: model.Mapping) -> str:
    """The text of cloudflared's configuration."""
    return yaml_text(cloudflared_ingress(stack))


def edge_files(stack: model.Mapping, facts: t.Optional[model.Mapping] = None) -> t.Dict[str, str]:
    """The files of an nginx edge, or for a proxy of the host, by their path in the release: no key is among them."""
    if edge.external_edge(stack):
        return external_files(stack)
    if not edge.nginx_service(stack):
        return {}
    tls = model.mapping(edge.edge_of(stack).get("tls"))
    files = {"edge/nginx.conf": nginx_config(stack, facts)}
    if tls.get("kind") == "acme":
        files["edge/challenge.conf"] = nginx_config(stack, facts, challenge=True)
    if tls.get("kind") == "files":
        for one, given in zip(edge.certificates(stack), tls["certificates"]):
            files["edge/certificates/" + one.file] = given["certificate"].strip() + "\n"
    return files


def edge_record(stack: model.Mapping, versions: Versions = None, facts: t.Optional[model.Mapping] = None) -> model.Mapping:
    """What the host has to know of an nginx edge, and that there is somebody else's; empty without one."""
    if edge.external_edge(stack):
        text = json.dumps(external_files(stack), sort_keys=True)
        return {"kind": edge.EXTERNAL, "name": edge.external_name(stack), "config": hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]}
    name = edge.nginx_service(stack)
    if not name:
        return {}
    config = nginx_config(stack, facts)
    tls = _tls(stack, model.mapping(edge.edge_of(stack).get("tls")), versions)
    return {"service": name, "kind": edge.NGINX, "config": config_digest_of(config), "port": 80, **({"tls": tls} if tls else {})}


def _tls(stack: model.Mapping, tls: model.Mapping, versions: Versions) -> model.Mapping:
    kind = tls.get("kind")
    found = edge.certificates(stack)
    if kind == "files":
        keys = [{"secret": key, "version": 1 if versions is None else versions[key]} for key in edge.certificate_keys(stack)]
        return {"kind": kind, "certificates": [{"file": one.file, "key": key} for one, key in zip(found, keys)]}
    if kind == "self_signed":
        return {"kind": kind, "file": found[0].file, "names": list(found[0].hosts)}
    if kind == "acme":
        return {
            "kind": kind,
            "file": found[0].file,
            "names": list(found[0].hosts),
            "email": tls.get("email") or "",
            "directory_url": tls.get("directory_url") or (_ACME_STAGING if tls.get("staging") else _ACME),
            # One of its own for each place that issues: what another has issued is no reason not to ask this one.
            "certificate": "portside-{0}{1}".format(stack["name"], _suffix(tls)),
        }
    return {}


def _suffix(tls: model.Mapping) -> str:
    if tls.get("directory_url"):
        return "-" + hashlib.sha256(tls["directory_url"].encode("utf-8")).hexdigest()[:8]
    return "-staging" if tls.get("staging") else ""
