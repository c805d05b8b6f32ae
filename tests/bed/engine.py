# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Docker engine on this machine, and the few programs the bed needs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from shell import STATE, BedError, as_root, docker_argv, only_one, run, succeeds, wait_for

# program -> Debian package
PROGRAMS = {
    "docker": "docker-cli",
    "gpg": "gpg",
    "ip": "iproute2",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def ensure_engine() -> str:
    """Makes `docker info` work; returns one line on what there is."""
    with only_one("engine"):
        _install([PROGRAMS[name] for name in PROGRAMS if not shutil.which(name, path=PATH)])
        if not _answers():
            if not shutil.which("dockerd", path=PATH):
                _install(["docker.io"])
            _start()
    return "engine " + run(docker_argv("info", "--format", "{{.ServerVersion}}, cgroup v{{.CgroupVersion}}")).strip()


def _answers() -> bool:
    return succeeds(docker_argv("info"))


def _install(packages: list[str]) -> None:
    if not packages:
        return
    wanted = " ".join(sorted(set(packages)))
    if not shutil.which("apt-get"):
        raise BedError(f"this machine lacks, under Debian's names: {wanted}. The test bed installs them itself "
                       "only where there is apt-get; install them (or start your Docker engine) and run this again.")
    if os.geteuid() and not succeeds(["sudo", "-n", "true"]):
        raise BedError(f"these packages are missing and installing them needs root: {wanted}. "
                       f"Run: sudo apt-get install {wanted}")
    run(as_root(["apt-get", "update", "-q"]))
    # Older Debian releases have the client inside docker.io.
    known = [name for name in set(packages) if succeeds(["apt-cache", "show", name])]
    if "docker-cli" in packages and "docker-cli" not in known:
        known.append("docker.io")
    # A package that starts its daemon badly (no systemd, no ulimit) must not fail the installation.
    run(as_root(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qy", "--no-install-recommends",
                 *sorted(known)]))


def _start() -> None:
    if Path("/run/systemd/system").is_dir():
        run(as_root(["systemctl", "start", "docker"]))
        where = "journalctl -u docker"
    else:
        _forget_killed("docker", "dockerd")
        _forget_killed("docker/containerd/containerd", "containerd")
        log = STATE / "dockerd.log"
        with open(log, "ab") as handle:
            subprocess.Popen(as_root(["setsid", "dockerd"]), stdin=subprocess.DEVNULL, stdout=handle,  # pylint: disable=consider-using-with
                             stderr=handle, start_new_session=True, env={**os.environ, "PATH": PATH})
        where = str(log)
    wait_for("the Docker engine answers", _answers, 60, lambda: f"Its log: {where}")


def _forget_killed(name: str, program: str) -> None:
    """Removes the pid file of a daemon that was killed: its number may be another process by now, or a zombie."""
    path = Path(f"/run/{name}.pid")
    if not succeeds(as_root(["test", "-e", str(path)])):
        return
    process = Path("/proc", run(as_root(["cat", str(path)])).strip())
    try:
        status = (process / "status").read_text(encoding="utf-8")
        alive = f"Name:\t{program}\n" in status and "State:\tZ" not in status
    except FileNotFoundError:
        alive = False
    if not alive:
        run(as_root(["rm", "-f", str(path)]))
