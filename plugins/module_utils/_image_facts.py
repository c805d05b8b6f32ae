# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What images say of themselves: what they run and as whom, for services whose start the entry wrapper takes over.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_STACK
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._throw_away import remove

Facts = t.Dict[str, t.Dict[str, t.Any]]

_SHELL = "/bin/sh"
_LINKS = 16
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NUMBER = re.compile(r"[0-9]{1,10}\Z")


class Inside(t.NamedTuple):
    """What is looked up in the files of an image."""

    passwd: str
    group: str
    shell: bool


# Of a plan: no container is made for one, so names of accounts count as root's.
_UNSEEN = Inside("", "", True)


def image_facts(
    stack: str,
    definition: t.Mapping[str, t.Any],
    images: t.Mapping[str, str],
    known: t.Mapping[str, t.Mapping[str, t.Any]],
    engine: EngineClient,
    check: bool,
) -> t.Tuple[Facts, t.List[str]]:
    """The facts by service, and why the entry wrapper cannot start one of them.

    ``images`` are the pins by reference. ``known`` are the facts of the current release, which hold on for the same pin
    and user. In check mode an image that is not here has none.
    """
    facts: Facts = {}
    problems: t.List[str] = []
    seen: t.Dict[str, Inside] = {}
    for name in (definition.get("x-portside") or {}).get("secret_environment") or ():
        service = definition["services"][name]
        pin, user = images.get(service["image"], ""), str(service.get("user") or "")
        old = known.get(name) or {}
        # Of an edge other facts may be known, of the same image.
        if pin and "command" in old and (old.get("image"), old.get("user")) == (pin, user):
            facts[name] = dict(old)
            continue
        subject = "stack {0}: service {1}: image {2}".format(stack, name, service["image"])
        image = engine.image(pin) if pin else None
        if image is None:
            # Why there is no pin is told elsewhere.
            if pin and not check:
                problems.append("{0} is not on the host any more. Remedy: run again, it is pulled then.".format(subject))
            continue
        if pin not in seen:
            seen[pin] = _UNSEEN if check else look_inside(engine, stack, image["Id"], service.get("platform") or "")
        facts[name], found = _judged(subject, image.get("Config") or {}, user, seen[pin], check)
        facts[name].update(image=pin, user=user)
        problems += found
    return facts, problems


def _judged(
    subject: str, config: t.Mapping[str, t.Any], user: str, inside: Inside, check: bool
) -> t.Tuple[t.Dict[str, t.Any], t.List[str]]:
    problems = []
    runs_as = user or config.get("User") or ""
    uid, gid = account(runs_as, inside.passwd, inside.group)
    if None in (uid, gid) and not check:
        problems.append(
            "{0} is to run as user {1!r}, which its own /etc/passwd and /etc/group do not know, so it would not start. "
            "Remedy: give the service numbers, user: UID:GID.".format(subject, runs_as)
        )
    if not inside.shell:
        problems.append(
            "{0} has no {1}, and without it nothing in the container can set the variables of secret_environment. "
            "Remedy: have the application read the secret's file (`secrets`, and VARIABLE_FILE where it knows that); or "
            "choose that docker inspect shows the variable, {{secret: NAME, visible: true}}.".format(subject, _SHELL)
        )
    lost = [one.partition("=")[0] for one in config.get("Env") or ()]
    lost = sorted(name for name in lost if not _VARIABLE.match(name))
    if lost and inside.shell:
        problems.append(
            "{0} sets {1}, and the shell that sets the variables of secret_environment passes on no variable of such a "
            "name. Remedy: have the application read the secret's file (*_FILE), or choose {{visible: true}}.".format(
                subject, ", ".join(lost)
            )
        )
    facts = {
        "entrypoint": config.get("Entrypoint") or [],
        "command": config.get("Cmd") or [],
        "healthcheck": config.get("Healthcheck") or None,
        "shell_form": config.get("Shell") or [],
        "uid": uid or 0,
        "gid": gid or 0,
        "shell": inside.shell,
    }
    return facts, problems


def account(user: str, passwd: str, group: str) -> t.Tuple[t.Optional[int], t.Optional[int]]:
    """The numbers of ``USER[:GROUP]``, as the engine reads it; none for a name that is not there."""
    who, _colon, of_group = user.partition(":")
    who = who or "0"
    people = [row.split(":") for row in passwd.splitlines()]
    people = [row for row in people if len(row) > 3 and _NUMBER.match(row[2]) and _NUMBER.match(row[3])]
    numbered = bool(_NUMBER.match(who))
    found = next((row for row in people if row[2 if numbered else 0] == who), None)
    uid = int(who) if numbered else int(found[2]) if found else None
    if not of_group:
        return uid, int(found[3]) if found else 0 if numbered else None
    if _NUMBER.match(of_group):
        return uid, int(of_group)
    groups = [row.split(":") for row in group.splitlines()]
    found = next((row for row in groups if len(row) > 2 and row[0] == of_group and _NUMBER.match(row[2])), None)
    return uid, int(found[2]) if found else None


def look_inside(engine: EngineClient, stack: str, image: str, platform: str) -> Inside:
    """Read the files of an image through a container that is never started, and is removed again."""
    name = "{0}-image-facts".format(stack)
    # The lock of the stack is held, so it is of a run that was cut off.
    remove(engine, name)
    query = {"name": name, "platform": platform} if platform else {"name": name}
    body = {"Image": image, "Entrypoint": [_SHELL], "NetworkDisabled": True, "Labels": {LABEL_STACK: stack}}
    engine.post("/containers/create", body, **query)
    try:
        shell = _file(engine, name, _SHELL)
        texts = [_file(engine, name, path) for path in ("/etc/passwd", "/etc/group")]
        passwd, group = (text[1].decode("utf-8", "replace") if text else "" for text in texts)
        return Inside(passwd, group, bool(shell and shell[0] & 0o111))
    finally:
        remove(engine, name)


def _file(engine: EngineClient, container: str, path: str) -> t.Optional[t.Tuple[int, bytes]]:
    """The mode and content of a file, through the links that lead to it."""
    for _link in range(_LINKS):
        data = engine.archive(container, path)
        if data is None:
            return None
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            member = archive.next()
            if member is None or not member.issym():
                handle = archive.extractfile(member) if member is not None and member.isreg() else None
                return (member.mode, handle.read()) if member is not None and handle else None
        path = posixpath.join(posixpath.dirname(path), member.linkname)
    return None
