# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of what a stack declares beside its services.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._text_problems import text_problems
from ansible_collections.portside.stack.plugins.plugin_utils._volume_problems import volume_owner_problems

_KNOWN = {
    "networks": ("attachable", "driver", "driver_opts", "enable_ipv4", "enable_ipv6", "external", "internal", "ipam", "labels", "name"),
    "volumes": ("driver", "driver_opts", "external", "gid", "labels", "mode", "name", "uid"),
}
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


Names = t.Dict[t.Tuple[str, str], str]


def network_and_volume_problems(report: Report, stack: model.Mapping, real: Names) -> None:
    """Judges the declared networks and volumes; ``real`` has the engine's names of them over all stacks."""
    for section, known in _KNOWN.items():
        given = stack.get(section)
        for key, options in given.items() if isinstance(given, dict) else ():
            where = "{0}.{1}".format(section, key)
            if options is not None and not isinstance(options, dict):
                report.add(where, "value {0} is not a mapping; write {{}} for the defaults".format(shown(options)))
            options = model.mapping(options)
            for option in options:
                if option not in known and not str(option).startswith("x-"):
                    report.unknown(where, option, known, "a key of it", "use " + ", ".join(known))
            external = options.get("external", False)
            if not isinstance(external, bool):
                report.add(where, "external {0} is not true or false; the name goes into `name`".format(shown(external)))
            elif external and set(options) - {"external", "name"}:
                report.add(where, "an external one is made elsewhere; leave out all but `name`")
            elif section == "volumes":
                volume_owner_problems(report, where, options)
            if not isinstance(key, str) or not _FILE_NAME.fullmatch(key):
                report.add(where, "{0} is not a name; use letters, digits, ., _ and -".format(shown(key)))
            name = model.real_name(str(stack.get("name")), str(key), options)
            mine = "{0} {1!r} of stack {2!r}".format(section[:-1], str(key), stack.get("name"))
            if not external:
                if (section, name) in real:
                    other = real[section, name]
                    report.add(where, "the engine would call it {0!r}, which is also {1}; give one another `name`".format(name, other))
                real[section, name] = mine
            text_problems(report, options, where)


def config_problems(report: Report, stack: model.Mapping) -> None:
    """Judges the declared configs."""
    given = stack.get("configs")
    for name, config in given.items() if isinstance(given, dict) else ():
        where = "configs.{0}".format(name)
        _file_name_problem(report, where, name)
        config = model.mapping(config)
        content = config.get("content")
        for key in config:
            if key != "content":
                hint = "the content is part of the declaration: content: \"{{ lookup('ansible.builtin.file', ...) }}\""
                report.add(where, "{0!r} is not a key of a config; {1}".format(key, hint))
        if not isinstance(content, str):
            report.add(where, "its content is {0}; write content: |".format("missing" if content is None else "not text"))
        text_problems(report, content, where + ".content", interpolated=False)


def _file_name_problem(report: Report, where: str, name: t.Any) -> None:
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
        report.add(where, "{0} is not a name; use letters, digits, ., _ and -, at most 64".format(shown(name)))
