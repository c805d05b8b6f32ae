# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's ssh key, the hosts' known keys, and an ssh_config for people and for Ansible."""

from __future__ import annotations

from pathlib import Path

from shell import STATE, only_one, run

KEY = STATE / "id_ed25519"
KNOWN_HOSTS = STATE / "known_hosts"
SSH_CONFIG = STATE / "ssh_config"
USER = "operator"
_LOCAL = "127.0.0.1"


def operator_key() -> str:
    """The operator's public key; made once."""
    if not KEY.exists():
        STATE.mkdir(exist_ok=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator@portside-bed", "-f", str(KEY)])
    return KEY.with_suffix(".pub").read_text(encoding="utf-8").strip()


def remember(name: str, port: int, host_keys: list[str]) -> None:
    """Writes the host's keys to known_hosts and its block to ssh_config."""
    with only_one("keys"):
        _forget(name, port)
        _remember(name, port, host_keys)


def forget(name: str) -> None:
    """Removes every line about this host."""
    with only_one("keys"):
        _forget(name, None)


def _remember(name: str, port: int, host_keys: list[str]) -> None:
    lines = [f"[{_LOCAL}]:{port} {' '.join(key.split()[:2])} {name}" for key in host_keys]
    _append(KNOWN_HOSTS, lines)
    _append(SSH_CONFIG, [
        f"Host {name}",
        f"  HostName {_LOCAL}",
        f"  Port {port}",
        f"  User {USER}",
        f"  IdentityFile {KEY}",
        "  IdentitiesOnly yes",
        f"  UserKnownHostsFile {KNOWN_HOSTS}",
        "  StrictHostKeyChecking yes",
    ])


def _forget(name: str, port: int | None) -> None:
    """Removes every line about this host, and about an older one that had its port."""
    if KNOWN_HOSTS.exists():
        kept = [line for line in _lines(KNOWN_HOSTS)
                if line.split()[-1] != name and not line.startswith(f"[{_LOCAL}]:{port} ")]
        _write(KNOWN_HOSTS, kept)
    if SSH_CONFIG.exists():
        kept, ours = [], False
        for line in _lines(SSH_CONFIG):
            ours = line == f"Host {name}" if line.startswith("Host ") else ours
            if not ours:
                kept.append(line)
        _write(SSH_CONFIG, kept)


def ssh_argv(name: str, *command: str) -> list[str]:
    """An ssh command line that needs nobody's own settings."""
    return ["ssh", "-F", str(SSH_CONFIG), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", name, *command]


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _append(path: Path, lines: list[str]) -> None:
    _write(path, (_lines(path) if path.exists() else []) + lines)


def _write(path: Path, lines: list[str]) -> None:
    whole = path.with_suffix(".new")  # ssh may be reading it
    whole.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    whole.replace(path)
