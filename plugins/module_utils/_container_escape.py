# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By what a container has an engine or the host: the mounts and the capabilities, said once for declaration, exposure and audit.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import posixpath
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET_NAMES

# Where engines have their sockets. /var/run is another name of /run, or a directory of its own on old systems.
_SOCKETS = ("docker.sock", "containerd/containerd.sock", "docker/containerd/containerd.sock", "podman/podman.sock")
_RUN = ("/run", "/var/run")
# With each of these a process gets out of its container.
_STRONG = ("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH")


def _parents(path: str) -> t.Iterator[str]:
    while path != "/":
        path = posixpath.dirname(path)
        yield path


_AROUND_SOCKETS = frozenset(parent for run in _RUN for name in _SOCKETS for parent in _parents(posixpath.join(run, name)))


def is_engine_socket(path: str) -> bool:
    """Whether a path of the host is called as the sockets of engines are, whatever directory it is in."""
    return posixpath.basename(path) in SOCKET_NAMES


def is_around_socket(path: str) -> bool:
    """Whether it is a directory with an engine's socket somewhere inside."""
    return (path.rstrip("/") or "/") in _AROUND_SOCKETS


def has_engine(path: str) -> bool:
    """Whether who has it mounted has an engine."""
    return is_engine_socket(path) or is_around_socket(path)


def strong_capabilities(names: t.Iterable[t.Any]) -> t.List[str]:
    """Those by which a process gets out of its container, without their prefix."""
    return sorted({bare_capability(name) for name in names}.intersection(_STRONG))


def bare_capability(name: t.Any) -> str:
    """Its name as capabilities(7) has it; engines write it with and without the prefix."""
    text = str(name).upper()
    return text[len("CAP_") :] if text.startswith("CAP_") else text
