# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the host itself may show, whatever its stacks publish: the file that the role firewall writes.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import RULES
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

SETTINGS = "/etc/portside/exposure.json"
STACKS = "/opt/stacks"


class Settings(t.NamedTuple):
    """What the file says; without the file it is ssh alone, and no firewall."""

    ssh_ports: t.List[int]
    open: t.List[t.Dict[str, t.Any]]
    trusted_interfaces: t.List[str]
    firewall: bool
    waivers: t.List[t.Dict[str, t.Any]]
    stack_root: str = STACKS

    def text(self) -> bytes:
        """The file."""
        return (json.dumps(self._asdict(), indent=1, sort_keys=True) + "\n").encode("utf-8")


def read_settings(fs: FileSystem, root: str = "", path: str = SETTINGS) -> Settings:
    """What the host's own file says. Raises StackError where it is not what was written there."""
    return parse_settings(root + path, fs.read(root + path) if fs.lstat(root + path) else None)


def parse_settings(path: str, text: t.Optional[bytes]) -> Settings:
    """The host's settings, where there are none with nothing but ssh."""
    try:
        given = json.loads(text.decode("utf-8")) if text is not None else {}
        return Settings(
            ssh_ports=[_number(one) for one in given.get("ssh_ports", [22])],
            open=[_open(one) for one in given.get("open", [])],
            trusted_interfaces=[str(one) for one in given.get("trusted_interfaces", [])],
            firewall=bool(given.get("firewall", False)),
            waivers=[_waiver(one) for one in given.get("waivers", [])],
            stack_root=str(given.get("stack_root", STACKS)),
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise StackError(
            "{0} is not what the role firewall writes: {1}. Remedy: mend firewall_open or firewall_waivers and run the role again, "
            "or take the file away; then nothing but ssh on port 22 is declared.".format(path, error)
        ) from error


def _number(value: t.Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise ValueError("{0!r} is not a port".format(value))
    return value


def _open(value: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return {
        "port": _number(value["port"]),
        "protocol": str(value.get("protocol", "tcp")),
        "sources": list(value.get("sources") or []),
        "reason": str(value.get("reason", "")),
    }


def _waiver(value: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    if value["rule"] not in RULES or not value.get("reason"):
        raise ValueError("a waiver wants a rule of {0}, and a reason: {1!r}".format(", ".join(RULES), dict(value)))
    return dict(value)
