# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having everything on the host that an activation needs, before it: nothing that runs is touched.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Clock, compose_argv, last_lines
from ansible_collections.portside.stack.plugins.module_utils._compose_images import resolve
from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_PROJECT, Container
from ansible_collections.portside.stack.plugins.module_utils._compose_ports import held_ports
from ansible_collections.portside.stack.plugins.module_utils._compose_situation import Situation
from ansible_collections.portside.stack.plugins.module_utils._compose_stack import StackOnHost
from ansible_collections.portside.stack.plugins.module_utils._edge_facts import edge_facts
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._host_budget import HostBudget
from ansible_collections.portside.stack.plugins.module_utils._image_facts import image_facts
from ansible_collections.portside.stack.plugins.module_utils._owned_places import absent_sources
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.module_utils._stack_volumes import (
    of_renamed_stacks,
    orphan_text,
    orphaned,
    renamed,
    renamed_stack_text,
)


def pulled(
    stack: StackOnHost,
    clock: Clock,
    params: t.Mapping[str, t.Any],
    machine: str,
    budget: HostBudget,
    warn: t.Callable[[str], None],
) -> t.Dict[str, t.Any]:
    """Have the images here and pinned, and all else in order; or raise with all that is wrong.

    ``params`` are the module's: ``images``, the pins to use as they are, ``refresh``, ``pull_timeout``, and ``awaited``,
    external networks and volumes that other stacks make in the same run, before this one is activated. Without a
    ``release`` there has to be one to bring back if the one to come fails, or nothing that runs, no volume may have been
    renamed, and the ``budget`` of the host has to do. ``machine`` is what the host's kernel calls its architecture, for a
    host that is to get its engine.
    """
    # Going back to a release is the way out when the current one is damaged.
    way_back = not params["release"]
    found = stack.look()
    engine = stack.engine if found.reachable else None
    refused, warnings = budget.judge(stack.definition, os.path.dirname(stack.project_directory), engine) if way_back else ([], [])
    problems = [
        *_document_problems(stack, found.reachable),
        *found.problems,
        *(_no_way_back(stack, found.containers) if way_back else ()),
        *(renamed(stack.stack, stack.definition, found.record, found.volumes) if way_back else ()),
        # Without an engine this is a plan, and what is to come may bring them.
        *(absent_sources(stack.stack, stack.definition) if engine else ()),
        *(text for name, text in found.absent_externals.items() if engine and name not in params["awaited"]),
        *held_ports(stack.stack, stack.services.values(), engine, stack.listeners),
        *refused,
    ]
    resolution = resolve(
        stack.stack,
        stack.services.values(),
        stack.engine,
        stack.run,
        clock,
        stack.tell,
        known=found.record.get("images") or {},
        given=params["images"],
        refresh=params["refresh"],
        check=stack.check_mode,
        host_architecture=stack.engine.about()["Arch"] if engine else machine,
        timeout=params["pull_timeout"],
    )
    problems += resolution.problems
    facts: t.Dict[str, t.Any] = {}
    # A release that is there already says what its services run.
    if way_back and engine:
        known = found.record.get("image_facts") or {}
        facts, unfit = image_facts(
            stack.stack, stack.definition, resolution.images, known, engine, stack.check_mode
        )
        problems += unfit
        of_edge, unfit = edge_facts(stack.stack, stack.definition, resolution.images, known, engine, stack.check_mode)
        problems += unfit
        facts.update((name, {**facts.get(name, {}), **found_there}) for name, found_there in of_edge.items())
    if problems:
        raise StackError("\n".join(problems))
    left = orphaned(stack.stack, stack.definition, found.volumes)
    for warning in [*warnings, *_volume_warnings(stack, found, left)]:
        warn(warning)
    result = stack.result()
    result.update(
        changed=bool(resolution.pulled),
        pulled=resolution.pulled,
        images=resolution.images,
        image_facts=facts,
        current=found.current,
        orphaned_volumes=left,
        diff={"before": "", "after": "".join("image {0}: pulled\n".format(one) for one in resolution.pulled)},
    )
    return result


def _volume_warnings(stack: StackOnHost, found: Situation, left: t.List[str]) -> t.List[str]:
    """What there is to say of volumes that is no reason to go no further; ``left`` are the orphaned ones."""
    warnings = [orphan_text(stack.stack, left)] if left else []
    for other, volumes in of_renamed_stacks(stack.stack, stack.definition, found.volumes).items():
        current = os.path.join(os.path.dirname(stack.project_directory), other, "current")
        runs = os.path.lexists(current) or stack.engine.containers("{0}={1}".format(LABEL_PROJECT, other))
        if not found.current and not runs:
            warnings.append(renamed_stack_text(stack.stack, other, volumes))
    return warnings


def _no_way_back(stack: StackOnHost, containers: t.Iterable[Container]) -> t.List[str]:
    """Why what runs now could not be brought back if the new release failed."""
    store = ReleaseStore(stack.project_directory)
    current, complete = store.current(), store.ids()
    good = {release: store.verified(release) for release in complete}
    newest = max((name for name in good if good[name]), key=lambda name: good[name].get("verified", ""), default="")
    link = "ln -sfn releases/{0} {1}/current".format(newest, store.directory)
    if current and current not in complete:
        return [
            "stack {0}: its current release {1} has no record (release.json), so if the new one failed it could not be "
            "brought back. Remedy: restore that file; or {2}, and deploy again.".format(
                stack.stack, current, "name the last good release ({0})".format(link) if newest else "remove the link "
                "{0}/current, which makes the new release the first one".format(store.directory)
            )
        ]
    if not current and newest:
        return [
            "stack {0}: nothing says which release is current, since {1}/current is gone, so if the new one failed nothing "
            "could be brought back. Remedy: name the last good one: {2}".format(stack.stack, store.directory, link)
        ]
    names = sorted(container.name for container in containers if not container.digest)
    if not current and names:
        return [
            "stack {0}: a Compose project of that name is on the host already, with {1}. The first release would take "
            "their place, and if it failed they would not come back. Remedy: remove them (docker compose -p {0} down; "
            "volumes stay), or give the stack another name.".format(stack.stack, ", ".join(names))
        ]
    return []


def _document_problems(stack: StackOnHost, reachable: bool) -> t.List[str]:
    argv = [*compose_argv("-", stack.project_directory), "config", "--quiet"]
    # The files of visible secrets are written later.
    services = {
        name: {key: value for key, value in service.items() if key != "env_file"}
        for name, service in stack.definition["services"].items()
    }
    document = dict(stack.definition, services=services)
    try:
        code, _out, err = stack.run(argv, json.dumps(document, ensure_ascii=False))
    except StackError:
        if stack.check_mode:
            return []
        raise
    if not code or (stack.check_mode and not reachable):
        return []
    return [
        "stack {0}: Compose refuses the document: {1}. Remedy: correct the key it names under stacks: {0}.".format(
            stack.stack, last_lines(err)
        )
    ]
