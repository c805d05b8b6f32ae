# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of production about who could have the whole host: each finds what breaks it in one service.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._container_escape import (
    is_around_socket,
    is_engine_socket,
    strong_capabilities,
)
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._production_fault import Fault, Faults
from ansible_collections.portside.stack.plugins.plugin_utils._settings import Setting
from ansible_collections.portside.stack.plugins.plugin_utils._volumes import bind_sources


def docker_socket(stack: model.Mapping, service: model.Mapping, told: t.List[Setting]) -> Faults:
    """No service can have the engine: who takes it over starts containers as they like, and is root on the host.

    Docker's page on protecting the daemon's socket, OWASP's Docker security cheat sheet (rule 1). A socket that is mounted
    read-only is no less open. Counts: mounts of the engine's socket or of a directory around it. (use_api_socket and
    network_mode: host are refused everywhere.)
    """
    remedy = "take the mount out, or put a proxy for the socket between that lets through what is needed"
    for source in bind_sources(service):
        if is_engine_socket(source):
            yield Fault("volumes", "it has the engine's socket, {0}".format(source), remedy)
        elif is_around_socket(source):
            yield Fault("volumes", "it has {0}, and in it the engine's socket".format(source), "mount what is needed of it alone")


def privileged(stack: model.Mapping, service: model.Mapping, told: t.List[Setting]) -> Faults:
    """No service has the kernel's rights over the whole host, or sees its processes.

    OWASP's Docker security cheat sheet (rule 3), CIS Docker benchmark 5.4, 5.5 and 5.16. Counts: privileged, capabilities by
    which processes leave their container, pid: host.
    """
    if service.get("privileged") is True:
        yield Fault("privileged", "it may do with the host whatever root may", "give it the devices or capabilities that it needs (devices, cap_add)")
    for name in strong_capabilities(model.sequence(service.get("cap_add"))):
        yield Fault("cap_add", "with the capability {0} a process gets out of its container".format(name), "take it out, or add a narrower one")
    if service.get("pid") == "host":
        yield Fault("pid", "it sees the processes of the host, and what is in their memory", "take pid out")
