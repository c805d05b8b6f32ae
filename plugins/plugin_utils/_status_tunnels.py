# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How people get to what nobody is to reach: an ssh tunnel through the host, by the way that Ansible itself takes.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import shlex
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

Mapping = t.Mapping[str, t.Any]

# The way of a tunnel, as the name of a connection plugin ends.
_BY_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "libssh")
# Below these, only root may listen; where such a port goes on this machine.
_FIRST, _MOVED = 1024, 10000
_LAST = 65535


def ssh_words(ssh: Mapping) -> t.List[str]:
    """ssh's command line up to what it forwards, with the host at its end; empty where the host is not reached by ssh."""
    if str(ssh.get("connection") or "ssh").rpartition(".")[2] not in _BY_SSH:
        return []
    words = ["ssh", "-N"]
    for given in ssh.get("arguments") or ():
        try:
            words += shlex.split(str(given))
        except ValueError as error:
            raise StackError("the arguments for ssh {0!r} are not a command line: {1}. Remedy: quote them as a shell wants it.".format(given, error)) from error
    words += ["-p", str(ssh["port"])] if str(ssh.get("port") or "22") != "22" else []
    words += ["-i", str(ssh["key"])] if ssh.get("key") else []
    user = str(ssh.get("user") or "")
    return [*words, "{0}@{1}".format(user, ssh["host"]) if user else str(ssh["host"])]


def with_tunnels(stacks: t.Iterable[Mapping], ssh: Mapping) -> t.List[t.Dict[str, t.Any]]:
    """The stacks of a host, where each service that is not public has the command that opens a way to all its ports."""
    words = ssh_words(ssh)
    taken: t.Set[int] = set()
    found = []
    for stack in stacks:
        services = []
        for service in stack["services"]:
            ends = [dict(one, local=_local(one["port"], taken)) for one in service["tunnel_to"]]
            services.append(dict(service, tunnel_to=ends, tunnel=_command(words, ends)))
        found.append(dict(stack, services=services))
    return found


def _local(port: int, taken: t.Set[int]) -> int:
    """A port of this machine that anybody may have: the same number where that is free on the screen."""
    wanted = port if port >= _FIRST else _MOVED + port
    found = next(one for one in (*range(wanted, _LAST + 1), *range(_FIRST, wanted)) if one not in taken)
    taken.add(found)
    return found


def _command(words: t.Sequence[str], ends: t.Iterable[Mapping]) -> str:
    forwards = [word for one in ends for word in ("-L", "{0}:{1}:{2}".format(one["local"], _bracketed(one["address"]), one["port"]))]
    return shlex.join([*words[:2], *forwards, *words[2:]]) if words and forwards else ""


def _bracketed(address: str) -> str:
    return "[{0}]".format(address) if ":" in address else address
