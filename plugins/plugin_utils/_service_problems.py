# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of one service that show in the service alone.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._byte_size import byte_size
from ansible_collections.portside.stack.plugins.plugin_utils import _compose_grammar as grammar
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._build_problems import build_problems
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._resource_problems import (
    healthcheck_problems,
    resource_problems,
)

Service = model.Mapping
_RESERVED_LABELS = ("portside.", "com.docker.compose.")


def service_problems(report: Report, service: Service) -> None:
    """Judges one service without knowing the others."""
    for key, value in service.items():
        if key in grammar.REFUSED_KEYS:
            report.add(key, "refused, because {0}".format(grammar.REFUSED_KEYS[key]))
        elif key in grammar.SERVICE_KEYS:
            _kind_problem(report, key, value, grammar.SERVICE_KEYS[key])
        elif not str(key).startswith("x-"):
            report.unknown(key, key, grammar.SERVICE_KEYS, "a key of a Compose service", "see the Compose reference")
    _image_problems(report, service)
    build_problems(report, service)
    _restart_problems(report, service)
    _command_problems(report, service)
    _environment_problems(report, service)
    _label_problems(report, service)
    _network_mode_problems(report, service)
    _volume_problems(report, service)
    healthcheck_problems(report, service)
    resource_problems(report, service)


def _kind_problem(report: Report, key: str, value: t.Any, kind: str) -> None:
    wanted = _KINDS.get(kind)
    if key == "restart" and value is False:
        report.add(key, 'YAML 1.1 reads an unquoted no as false; write restart: "no"')
    elif wanted and not wanted[0](value):
        report.add(key, "value {0} is not {1}".format(shown(value), wanted[1]))
    items = value if kind in ("list", "words") and isinstance(value, list) else ()
    for index, item in enumerate(items):
        if not isinstance(item, str):
            report.add("{0}[{1}]".format(key, index), "value {0} is not text; quote it".format(shown(item)))


def _is_text_or_list(value: t.Any) -> bool:
    return isinstance(value, (str, list))


_KINDS: t.Dict[str, t.Tuple[t.Callable[[t.Any], bool], str]] = {
    "text": (lambda value: isinstance(value, str), "text; quote it"),
    "flag": (lambda value: isinstance(value, bool), "true or false; write one of them, unquoted"),
    "count": (grammar.is_count, "a whole number; write one"),
    "number": (lambda value: grammar.positive_number(value) is not None, 'a number above 0; write for example "0.5"'),
    "size": (lambda value: byte_size(value) is not None, "a size; write for example 512M"),
    "duration": (
        lambda value: isinstance(value, str) and bool(grammar.DURATION.fullmatch(value)),
        "a duration; give it a unit, for example 30s or 1m30s",
    ),
    "list": (lambda value: isinstance(value, list), "a list; write [A, B]"),
    "words": (_is_text_or_list, "text or a list of texts; write [A, B]"),
    "pairs": (lambda value: isinstance(value, (dict, list)), "a mapping; write NAME: value"),
    "mapping": (lambda value: isinstance(value, dict), "a mapping; write its keys below it"),
}


def _image_problems(report: Report, service: Service) -> None:
    image = service.get("image")
    if image is None:
        if "build" not in service:
            report.add("image", "missing, so there is nothing to run; name an image, such as nginx:1.28")
    elif isinstance(image, str) and "$" not in image and not grammar.IMAGE.fullmatch(image):
        hint = "repository names are lower case" if image != image.lower() else "write [REGISTRY/]NAME[:TAG][@sha256:...]"
        report.add("image", "value {0} is not the name of an image; {1}".format(shown(image), hint))


def _restart_problems(report: Report, service: Service) -> None:
    restart = service.get("restart")
    if isinstance(restart, str) and not grammar.RESTART.fullmatch(restart):
        report.add("restart", "value {0} is unknown; use no, always, unless-stopped or on-failure".format(shown(restart)))


def _command_problems(report: Report, service: Service) -> None:
    for key in ("command", "entrypoint"):
        try:
            shlex.split(service.get(key) if isinstance(service.get(key), str) else "")
        except ValueError:
            report.add(key, "a quote in {0} is never closed; close it, or write a list".format(shown(service[key])))


def _environment_problems(report: Report, service: Service) -> None:
    given = service.get("environment")
    if isinstance(given, list):
        seen = set()
        for index, item in enumerate(given):
            key = "environment[{0}]".format(index)
            if not isinstance(item, str):
                report.add(key, "value {0} is not text; write NAME=value, or a mapping".format(shown(item)))
                continue
            name = item.partition("=")[0]
            if name in seen:
                report.add(key, "{0!r} is set a second time; keep one of them".format(name))
            seen.add(name)
    for name, value in model.pairs(given).items():
        key = "environment.{0}".format(name)
        if value is None:
            report.add(key, 'no value, so it would be read from the environment of whoever runs Compose; write a value, or ""')
        elif isinstance(value, bool):
            written = shown(value)
            report.add(key, 'value {0} is a boolean, and programs are given text; quote it: "{0}"'.format(written))
        elif isinstance(value, (dict, list)):
            report.add(key, "value {0} is not text; write it as one text".format(shown(value)))
        if not name or "=" in name or any(letter.isspace() for letter in name):
            report.add(key, "{0!r} is not the name of a variable; write NAME: value".format(name))


def _label_problems(report: Report, service: Service) -> None:
    for name, value in model.pairs(service.get("labels")).items():
        if name.startswith(_RESERVED_LABELS):
            report.add("labels", "label {0!r} is used by the deployment itself; choose another name".format(name))
        if isinstance(value, (dict, list)):
            report.add("labels.{0}".format(name), "value {0} is not text; quote it".format(shown(value)))


def _network_mode_problems(report: Report, service: Service) -> None:
    mode = service.get("network_mode")
    if mode == "host":
        report.add(
            "network_mode",
            "on the host's network everything the service listens on is reachable as the host is, and `exposure` cannot "
            "bind it; leave network_mode out and publish `ports`",
        )
    elif isinstance(mode, str) and mode.startswith("container:"):
        report.add("network_mode", "a container outside the stack cannot be waited for; use service:NAME")
    elif mode is not None and "networks" in service:
        report.add("network_mode", "Compose refuses it together with `networks`; keep one of them")


def _volume_problems(report: Report, service: Service) -> None:
    mounts = service.get("volumes")
    if mounts is not None and not isinstance(mounts, list):
        report.add("volumes", "value {0} is not a list; write [NAME:/path]".format(shown(mounts)))
    for index, mount in enumerate(model.sequence(mounts)):
        key = "volumes[{0}]".format(index)
        if not isinstance(mount, (str, dict)) or not mount:
            report.add(key, "value {0} is no mount; write NAME:/path".format(shown(mount)))
            continue
        source = model.volume_source(mount)
        bind = mount.get("type") == "bind" if isinstance(mount, dict) else model.is_path(source)
        target = mount.get("target", mount.get("dst")) if isinstance(mount, dict) else mount[len(source) :].lstrip(":")
        if isinstance(mount, dict) and mount.get("type") not in ("volume", "bind", "tmpfs", "npipe", "cluster", "image"):
            report.add(key, "type {0} is unknown; use volume, bind or tmpfs".format(shown(mount.get("type"))))
        elif bind and not source.startswith("/"):
            report.add(
                key,
                "{0} is relative, so what it means would change with each release; mount an absolute path, a named "
                "volume, or declare the file under `configs`".format(shown(source)),
            )
        elif bind and _is_release_path(source):
            report.add(
                key,
                "{0} changes with each release, so every release would recreate the service; declare the file under `configs`".format(shown(source)),
            )
        elif not isinstance(target, str) or not target.startswith("/"):
            report.add(key, "value {0} has no absolute path in the container; write NAME:/path".format(shown(mount)))


def _is_release_path(source: str) -> bool:
    parts = source.split("/")
    return source.startswith(model.STACK_ROOT + "/") and len(parts) > 4 and parts[4] in ("current", "releases")
