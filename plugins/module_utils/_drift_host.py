# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own part in its stacks: the firewall, the units that bring stacks up, and what healing has given up.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._boot_unit import BootUnit, unit_name
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._drift_model import SITE, Drift
from ansible_collections.portside.stack.plugins.module_utils._drift_routes import changed_lines
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_settings import SETTINGS, read_settings
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, read_json
from ansible_collections.portside.stack.plugins.module_utils._firewall_apply import Firewall
from ansible_collections.portside.stack.plugins.module_utils._firewall_rules import ruleset
from ansible_collections.portside.stack.plugins.module_utils._firewall_state import (
    LIST,
    LISTED,
    RULES,
    docker_rules_gone,
    in_place,
)
from ansible_collections.portside.stack.plugins.module_utils._firewall_units import FirewallUnits
from ansible_collections.portside.stack.plugins.module_utils._heal_report import STATE


def firewall_drift(fs: FileSystem, run: Run, now: t.Callable[[], float], root: str = "") -> t.List[Drift]:
    """Why the packet filter does not say what is declared, where the collection's is switched on."""
    try:
        return _firewall_drift(fs, run, now, root)
    except (StackError, OSError) as error:
        what, _dot, remedy = str(error).partition(" Remedy: ")
        return [_firewall("cannot be judged: {0}".format(what.rstrip(".")), "what is declared", "not known", remedy.rstrip(".") or SITE)]


def _firewall_drift(fs: FileSystem, run: Run, now: t.Callable[[], float], root: str) -> t.List[Drift]:
    if not read_settings(fs, root).firewall:
        if not fs.lstat(root + RULES) or fs.lstat(root + SETTINGS):
            return []
        return [_firewall("its settings, {0}, are missing".format(SETTINGS), SETTINGS, "none")]
    firewall = Firewall(fs, run, now, root)
    if firewall.pending():
        return []
    found = []
    why = in_place(run, fs, root)
    if why:
        found.append(_firewall("{0}{1}".format(why, _rules_changed(fs, run, root)), "the rules that were loaded", "others"))
    if ruleset(firewall.wanted()) != firewall.saved():
        found.append(_firewall("{0}, which a boot loads, is not what is declared".format(RULES), "what is declared", "something else"))
    for one in FirewallUnits(fs, run, root).missing():
        found.append(_firewall("{0} is missing, changed or does not run".format(one), one, "not as it was installed"))
    docker = docker_rules_gone(run, fs, root)
    if docker:
        what, _dot, remedy = docker.partition(". Remedy: ")
        found.append(_firewall(what, "Docker's rules", "none", remedy))
    return found


def unit_drift(fs: FileSystem, run: Run, stack: str, directory: str, root: str = "") -> t.List[Drift]:
    """The units that bring a stack up after a boot and heal it, where they are not as installed; all but one are the host's."""
    lacking = BootUnit(fs, run, root).lacks(directory)
    link = unit_name(directory)
    return [
        Drift(stack if one.endswith(link) else "", "", "file", "{0} is missing, changed or does not run".format(one), one, "not as it was installed")
        for one in lacking
    ]


def healing_drift(fs: FileSystem, stack: str, root: str = "") -> t.List[Drift]:
    """The services of a stack that self-healing restarts no more, as it did not help."""
    found = []
    for key, one in sorted(read_json(fs, root + STATE).items()):
        owner, _slash, service = key.partition("/")
        if owner == stack and one.get("given_up"):
            what = "is not restarted any more after {0} restarts in vain: {1}".format(one.get("restarts"), one.get("why"))
            remedy = "mend what its log says (docker compose logs), then {0}".format(SITE)
            found.append(Drift(stack, service, "stopped", what, "healthy", "given up", remedy, True))
    return found


def _firewall(what: str, declared: str, found: str, remedy: str = SITE) -> Drift:
    return Drift("", "", "firewall", "firewall: " + what, declared, found, remedy)


def _rules_changed(fs: FileSystem, run: Run, root: str) -> str:
    """The rules by which the table differs from the one that was loaded, where both are there."""
    code, out, _err = run(list(LIST), None)
    if code or not fs.lstat(root + LISTED):
        return ""
    return ": it " + changed_lines(fs.read(root + LISTED), out.encode("utf-8"))
