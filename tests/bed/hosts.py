# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disposable hosts: a container that is as near to a bare Debian server as a container gets."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import images
import keys
import registry
from shell import LABEL, BedError, docker, docker_argv, only_one, run, succeeds, wait_for

# What systemd and an inner engine need; a list, since full privileges are not to be had in every sandbox.
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_CHROOT", "SYS_PTRACE", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "MKNOD", "LEASE", "AUDIT_WRITE",
    "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
)
SUITES = ("trixie", "bookworm", "sid")


def up(name: str, suite: str | None, publish: list[str], systemd: bool) -> dict[str, Any]:
    """Creates the host if there is none, starts it if it is stopped, and returns its data."""
    container = f"portside-{name}"
    with only_one(f"host-{name}"):
        found = _inspect(container)
        if found is None:
            _create(name, suite or "trixie", publish, systemd)
        else:
            _refuse_changes(name, found, suite, publish)
            if not found["State"]["Running"]:
                docker("start", container)
        return _wait(name)


def reboot(name: str) -> dict[str, Any]:
    """Restarts the host and waits for it."""
    with only_one(f"host-{name}"):
        if _inspect(f"portside-{name}") is None:
            raise BedError(f"there is no host {name}; make it: python3 tests/bed up {name}")
        docker("restart", f"portside-{name}")
        return _wait(name)


def down(name: str) -> None:
    """Removes the host with everything it kept."""
    with only_one(f"host-{name}"):
        if _inspect(f"portside-{name}"):
            docker("rm", "--force", "--volumes", f"portside-{name}")
        docker("volume", "rm", "--force", f"portside-{name}-docker")
        keys.forget(name)


def all_names() -> list[str]:
    """The hosts of this machine, found by their label."""
    return docker("ps", "--all", "--filter", f"label={LABEL}.host", "--format", f'{{{{.Label "{LABEL}.host"}}}}').split()


def _create(name: str, suite: str, publish: list[str], systemd: bool) -> None:
    if suite not in SUITES:
        raise BedError(f"there is no suite {suite}; there are {', '.join(SUITES)}")
    cgroups = docker("info", "--format", "{{.CgroupVersion}}")
    if suite == "sid" and systemd and cgroups == "1":
        raise BedError("sid's systemd runs on cgroup v2 only and this machine has v1; use --no-systemd or another suite")
    registry.ensure_network()
    image, _ = images.ensure_image(f"host-{suite}")
    wanted = [_published(one) for one in publish]
    argv = ["--name", f"portside-{name}", "--hostname", name, "--label", f"{LABEL}=1", "--label", f"{LABEL}.host={name}",
            "--label", f"{LABEL}.suite={suite}", "--label", f"{LABEL}.publish={','.join(wanted)}",
            "--network", registry.NETWORK, "--add-host", f"{registry.NAME}:{registry.address()}",
            "--volume", f"portside-{name}-docker:/var/lib/docker", "--tmpfs", "/run:exec", "--tmpfs", "/run/lock",
            "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
            "--security-opt", "systempaths=unconfined", "--publish", f"127.0.0.1:{_free_port()}:22",
            "--env", f"BED_NAMESERVERS={' '.join(_nameservers())}"]
    argv += [part for one in wanted for part in ("--publish", one)]
    argv += [part for one in CAPABILITIES for part in ("--cap-add", one)]
    command = ["/usr/local/sbin/bed-init"]
    if cgroups == "1":
        argv += ["--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
        command += ["SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"] if systemd else []
    else:
        argv += ["--cgroupns=private"]
    if not systemd:
        argv += ["--init", "--env", "BED_SYSTEMD=no"]
    docker("run", "--detach", *argv, image, *command)


def _published(text: str) -> str:
    parts = text.split(":")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise BedError(f"--publish wants MACHINE_PORT:HOST_PORT, as in 8080:80, not {text!r}")
    return f"127.0.0.1:{text}"


def _refuse_changes(name: str, found: dict[str, Any], suite: str | None, publish: list[str]) -> None:
    labels = found["Config"]["Labels"]
    for what, wanted, there in (("suite", suite, labels[f"{LABEL}.suite"]),
                                ("ports", ",".join(map(_published, publish)), labels[f"{LABEL}.publish"])):
        if wanted and wanted != there:
            raise BedError(f"the host {name} exists with other {what} ({there or 'none'}) than asked for ({wanted}); "
                           f"remove it first: python3 tests/bed down {name}")


def _wait(name: str) -> dict[str, Any]:
    container = f"portside-{name}"
    state = docker_argv("exec", container, "systemctl", "is-system-running")
    if "BED_SYSTEMD=no" not in _inspect(container)["Config"]["Env"]:
        wait_for(f"systemd of {name} is running", lambda: succeeds(state), 60,
                 lambda: docker("exec", container, "systemctl", "list-units", "--failed", "--plain", check=False)
                 or _log(container))
    data = describe(name)
    wait_for(f"{name} has an ssh server", lambda: _greets(data["port"]), 30, lambda: _log(container))
    docker("exec", "--interactive", container, "bed-authorize", keys.USER, stdin=keys.operator_key().encode() + b"\n")
    host_keys = docker("exec", container, "sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub")
    keys.remember(name, data["port"], host_keys.splitlines())
    wait_for(f"{name} answers over ssh", lambda: succeeds(keys.ssh_argv(name, "true")), 30,
             lambda: _log(container))
    return data


def describe(name: str) -> dict[str, Any]:
    """What a test or a person needs to reach the host."""
    found = _inspect(f"portside-{name}")
    if found is None:
        raise BedError(f"there is no host {name}; make it: python3 tests/bed up {name}")
    network = found["NetworkSettings"]["Networks"][registry.NETWORK]
    ports = found["NetworkSettings"]["Ports"] or {}
    published = {target.partition("/")[0]: int(bound[0]["HostPort"]) for target, bound in ports.items() if bound}
    return {"name": name, "container": f"portside-{name}", "suite": found["Config"]["Labels"][f"{LABEL}.suite"],
            "host": "127.0.0.1", "port": published.pop("22", None), "user": keys.USER, "key": str(keys.KEY),
            "known_hosts": str(keys.KNOWN_HOSTS), "ssh_config": str(keys.SSH_CONFIG), "published": published,
            "address": network["IPAddress"], "address6": network["GlobalIPv6Address"]}


def _log(container: str) -> str:
    return run(docker_argv("logs", "--tail", "20", container), check=False, merge=True)


def _inspect(container: str) -> dict[str, Any] | None:
    found = json.loads(docker("container", "inspect", container, check=False) or "[]")
    return found[0] if found else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _greets(port: int) -> bool:
    """True when sshd speaks on the port; that it is open says nothing, the engine's proxy opens it."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _nameservers() -> list[str]:
    """The machine's own name servers: with them a host does without the engine's, whose NAT rules no server has."""
    for path in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        lines = Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []
        found = [line.split()[1] for line in lines if line.startswith("nameserver ")]
        if any(not one.startswith("127.") for one in found):
            return [one for one in found if not one.startswith("127.")]
    return []
