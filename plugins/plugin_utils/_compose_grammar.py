# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Compose writes its values: the keys of a service with their types, and the grammars.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

IMAGE = re.compile(
    r"(?:(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
STACK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+")
RESTART = re.compile(r"no|always|unless-stopped|on-failure(?::[1-9][0-9]*)?")
OCTAL = re.compile(r"0?[0-7]{3}")

# Kinds: text, flag, count, number, size, duration, list (of text), words (text or
# list of text), pairs (list of A=B or mapping), mapping, any.
SERVICE_KEYS: t.Dict[str, str] = {
    key: kind
    for kind, keys in {
        "text": "cgroup cgroup_parent cpuset domainname hostname image ipc isolation mac_address network_mode pid "
        "platform pull_policy restart runtime stop_signal user userns_mode uts working_dir",
        "flag": "attach init oom_kill_disable privileged read_only stdin_open tty use_api_socket",
        "count": "cpu_shares mem_swappiness oom_score_adj pids_limit scale",
        "number": "cpu_count cpu_percent cpus",
        "size": "mem_limit mem_reservation memswap_limit shm_size",
        "duration": "stop_grace_period",
        "list": "cap_add cap_drop device_cgroup_rules dns_opt external_links links profiles security_opt volumes_from",
        "words": "command dns dns_search entrypoint env_file label_file tmpfs",
        "pairs": "annotations environment extra_hosts labels storage_opt sysctls",
        "mapping": "blkio_config credential_spec deploy develop extends healthcheck logging provider ulimits",
        "any": "build configs container_name cpu_period cpu_quota cpu_rt_period cpu_rt_runtime depends_on devices expose "
        "gpus group_add models networks ports post_start pre_stop secrets volumes",
    }.items()
    for key in keys.split()
}

REFUSED_KEYS = {
    "container_name": "a fixed name leaves no room for a second container, so neither scaling nor a hand-over could "
    "work; other services reach it by its service name",
    "credential_spec": "it reads a file that is no part of the release; leave it out",
    "develop": "it is for `docker compose watch` on a developer's machine; leave it out",
    "env_file": "the file is no part of the release, so nobody could tell what it held; write `environment`, and `secrets` for what is secret",
    "extends": "what another file holds is no part of this declaration; use a YAML anchor (<<: *name)",
    "external_links": "links are obsolete; join a shared network and use the service's name",
    "label_file": "the file is no part of the release; write `labels`",
    "links": "links are obsolete and hide dependencies; services of one network reach each other by name, `depends_on` says the order",
    "provider": "it runs a program of the host at every `up`; leave it out",
    "use_api_socket": "it hands the engine, and with it the host, to the container; mount what is needed by name",
    "version": "Compose ignores it; leave it out",
    "volumes_from": "it hides who shares what; mount a named volume in both services",
    "x-portside": "this name is used by the rendered file itself; choose another",
}

HEALTHCHECK_KEYS = ("test", "interval", "timeout", "retries", "start_period", "start_interval", "disable")


def positive_number(value: t.Any) -> t.Optional[float]:
    """A number above 0, also as text, or None."""
    text = str(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else ""
    return float(text) if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", text) and float(text) > 0 else None


def is_count(value: t.Any) -> bool:
    """A whole number, also as text."""
    return not isinstance(value, bool) and bool(re.fullmatch(r"-?[0-9]{1,9}", str(value)))
