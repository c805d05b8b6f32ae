# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the containers of a host.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_model import listed

Mapping = t.Mapping[str, t.Any]
Finding = t.Dict[str, str]

# What a waiver of the rule docker_control of the exposure check is about.
_CONTROL = ("docker_socket", "privileged", "host_control")


def finding(severity: str, rule: str, subject: str, what: str, why: str, remedy: str) -> Finding:
    return {"severity": severity, "rule": rule, "what": what, "why": why, "remedy": remedy, "subject": subject}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def container_findings(containers: t.Iterable[Mapping]) -> t.Iterator[Finding]:
    """Secrets are in the inspection of stopped containers as well; the rest is about those that run."""
    for one in containers:
        subject = "container {0}".format(one["name"])
        if one["running"] or one["restarting"]:
            yield from _control(one, subject)
            yield from _health(one, subject)
            yield from _care(one, subject)
        yield from _secrets(one, subject)


def _control(one: Mapping, subject: str) -> t.Iterator[Finding]:
    if one["sockets"]:
        yield finding(
            "high",
            "docker_socket",
            subject,
            "{0} has the engine's socket: {1} is mounted.".format(_sentence(subject), listed(one["sockets"])),
            "Who takes it over starts containers with the whole host mounted, and is root on it. Mounted read-only it is no less open.",
            "Take the mount away. If it must see containers, put a socket proxy between that lets nothing but that through.",
        )
    if one["privileged"]:
        yield finding(
            "high",
            "privileged",
            subject,
            "{0} is privileged.".format(_sentence(subject)),
            "It has all devices and capabilities of the host: who takes it over is root on it.",
            "Take privileged away, and give it the devices or capabilities that it needs (devices, cap_add).",
        )
    ways = (["it sees the host's processes (pid: host)"] if one["host_pids"] else []) + (
        ["it has the capabilities {0}".format(listed(one["capabilities"]))] if one["capabilities"] else []
    )
    if ways and not one["privileged"]:
        yield finding(
            "medium",
            "host_control",
            subject,
            "{0} gets to the host: {1}.".format(_sentence(subject), listed(ways)),
            "That is enough to get out of the container.",
            "Take that away, or use a program that does without.",
        )


def _health(one: Mapping, subject: str) -> t.Iterator[Finding]:
    if one["restarting"]:
        yield finding(
            "medium",
            "restarting",
            subject,
            "{0} ends and is started again, {1} times so far.".format(_sentence(subject), one["restarts"]),
            "It was killed for want of memory." if one["out_of_memory"] else "Its program ends as soon as it starts.",
            "See why: docker logs NAME.",
        )
    elif one["health"] == "unhealthy":
        yield finding(
            "medium",
            "unhealthy",
            subject,
            "{0} is unhealthy; its check failed {1} times in a row.".format(_sentence(subject), one["failing"]),
            "It runs and does not do what it should. The engine does nothing about it.",
            "See why: docker inspect --format '{{json .State.Health}}' NAME.",
        )


def _care(one: Mapping, subject: str) -> t.Iterator[Finding]:
    if not one["memory"]:
        yield finding(
            "low",
            "unlimited_memory",
            subject,
            "{0} has no memory limit.".format(_sentence(subject)),
            "A leak in it takes the memory of all others, and the kernel chooses who is killed.",
            "Set a limit (docker update --memory 512m --memory-swap 512m NAME; in Compose mem_limit, or deploy.resources.limits.memory).",
        )
    if one["tag"] == "floating":
        yield finding(
            "low",
            "floating_image",
            subject,
            "{0} runs {1}: {2}.".format(_sentence(subject), one["image"], "the tag latest" if one["image"].endswith(":latest") else "no tag"),
            "What runs after the next pull is another program, on this host and on others, and there is no way back to this one by name.",
            "Name a version, best with its digest (image: name:1.2.3@sha256:…).",
        )


def _secrets(one: Mapping, subject: str) -> t.Iterator[Finding]:
    if one["secrets"]:
        places: t.Dict[str, t.List[str]] = {}
        for secret in one["secrets"]:
            places.setdefault(secret["where"], []).append(secret["name"])
        told = listed("{0} in its {1}".format(listed(names), where) for where, names in places.items())
        yield finding(
            "medium",
            "visible_secret",
            subject,
            "{0} shows secrets in docker inspect: {1}.".format(_sentence(subject), told),
            "Whoever may ask the engine reads them, and so does each program in the container; they get into logs, error reports and backups.",
            "Give them as files (Compose secrets, *_FILE variables), and change them.",
        )


def waived(findings: t.Iterable[Finding], waivers: t.Iterable[Mapping]) -> t.Tuple[t.List[Finding], t.List[Finding]]:
    """The findings without those that the host or a stack took on, and those with the reason."""
    reasons = {"container {0}".format(one["container"]): one["reason"] for one in waivers if one["rule"] == "docker_control" and one["container"]}
    kept, accepted = [], []
    for one in findings:
        if one["rule"] in _CONTROL and one["subject"] in reasons:
            accepted.append(dict(one, reason=reasons[one["subject"]]))
        else:
            kept.append(one)
    return kept, accepted
