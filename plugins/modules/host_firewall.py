#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_firewall
short_description: Let in what is declared, and nothing else, whatever Docker publishes
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Keeps an nftables table of its own, C(inet portside). It lets in ssh, what the current releases of the stacks on the host
    publish, and O(open); published ports of all other containers are not reachable from outside, over IPv4 and IPv6.
  - New rules are in place until a fresh connection has come through them and run the module with O(state=confirmed).
    Where none does within 45 seconds, the host brings back those of before by itself, and so does a boot meanwhile.
  - A unit loads the rules at boot, another sees twice a minute that they are still there and say what is declared.
  - Other tables are never touched. Where ufw or firewalld is active, and on the first run where something that works today would be
    cut, it refuses and changes nothing.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    description: The rules.
  idempotent:
    support: full
options:
  state:
    description:
      - V(present) switches the firewall on, or has it follow what is declared.
      - V(confirmed) keeps rules that were put in place before, as RV(confirm) asks for. The connection must be a fresh one.
      - V(absent) takes the firewall away with all that was kept of it, and keeps only the host's declaration.
    type: str
    choices: [present, confirmed, absent]
    default: present
  open:
    description: Ports of programs on the host, or of containers of no stack, that may be reached from outside.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The port that is asked for from outside.
        type: int
        required: true
      protocol:
        description: Its protocol.
        type: str
        choices: [tcp, udp, sctp]
        default: tcp
      sources:
        description: Addresses and networks that may reach it. Empty means everybody.
        type: list
        elements: str
        default: []
      reason:
        description: Why it is open, for those who read the rules later.
        type: str
        required: true
  ssh_ports:
    description:
      - The ports of ssh, open to everybody always. Empty means those that sshd listens on.
      - Refused when the port by which this connection came to the host is not among them.
    type: list
    elements: int
    default: []
  trusted_interfaces:
    description: Interfaces by which everything is let in, and to which everything is forwarded, for example of a VPN.
    type: list
    elements: str
    default: []
  waivers:
    description: Findings of the exposure check that are meant to be, each with C(rule), C(container) or C(process), and C(reason). Kept for it.
    type: list
    elements: dict
    default: []
  stack_root:
    description: The directory that holds those of the stacks.
    type: path
    default: /opt/stacks
  cut:
    description: Switch the firewall on for the first time even though something that is reachable today would be no more.
    type: bool
    default: false
  watch:
    description:
      - Have a timer tell what becomes reachable that nobody declared, in the journal, in every O(state) but V(confirmed), which leaves it alone.
      - Nothing is done where systemd does not run the host.
    type: bool
    default: false
  watch_every:
    description: How often it looks, in C(s), C(min) or C(h).
    type: str
    default: 5min
  watch_webhook:
    description: URL to which what is new, and what is gone, is sent as JSON as well. It is a secret.
    type: str
    default: ""
notes:
  - Needs nftables and systemd. Where C(nft) is missing, nothing is changed and RV(nft) is false.
  - Written for Docker Engine 26 to 29 with either of its firewall backends. C(DOCKER-USER) is not needed, and not touched.
  - Containers reach their host, and each other, as with Docker alone. Containers with addresses of their own (macvlan, ipvlan) are not behind
    the host's firewall.
  - A container that is reached by its own address, without a published port, is reachable from O(trusted_interfaces) only.
seealso:
  - module: portside.stack.compose_stack
"""

EXAMPLES = r"""
- name: Let in ssh, what the stacks publish, and the monitoring host
  portside.stack.host_firewall:
    open:
      - port: 9100
        sources: [10.20.0.5]
        reason: node_exporter for the monitoring host
  register: firewall

- name: Come back by a fresh connection
  ansible.builtin.meta: reset_connection

- name: Keep the rules
  portside.stack.host_firewall:
    state: confirmed
  when: firewall.confirm
"""

RETURN = r"""
nft:
  description: Whether the host has nftables. Without it nothing was done, beyond the checks.
  returned: success
  type: bool
confirm:
  description: Whether new rules wait for O(state=confirmed).
  returned: success
  type: bool
ruleset:
  description: The rules as they are, or would be. Empty without a firewall.
  returned: success
  type: str
restored:
  description: Why the rules were not in place though nothing new is declared; empty when they were.
  returned: success
  type: str
  sample: the table inet portside is gone
"""

import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._commands import detached
from ansible_collections.portside.stack.plugins.module_utils._engine import SOCKET, EngineClient, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_settings import SETTINGS, Settings
from ansible_collections.portside.stack.plugins.module_utils._exposure_units import ExposureWatch
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, put
from ansible_collections.portside.stack.plugins.module_utils._firewall_apply import Firewall
from ansible_collections.portside.stack.plugins.module_utils._firewall_bridges import guests_bridges
from ansible_collections.portside.stack.plugins.module_utils._firewall_guard import confirm, try_out
from ansible_collections.portside.stack.plugins.module_utils._firewall_refusals import (
    check_interface,
    check_opening,
    cut,
    inside_addresses,
    neighbours,
    others,
    refuse_cut,
    ssh_ports,
)
from ansible_collections.portside.stack.plugins.module_utils._firewall_rules import Wanted, ruleset
from ansible_collections.portside.stack.plugins.module_utils._firewall_state import in_place
from ansible_collections.portside.stack.plugins.module_utils._firewall_units import FirewallUnits
from ansible_collections.portside.stack.plugins.module_utils._sockets import listeners
from ansible_collections.portside.stack.plugins.module_utils._ssh_session import session

Result = t.Dict[str, t.Any]
_CLIENTS = "/proc/sys/net/ipv4/ip_local_port_range"


class Work:
    """One run of the module. The root of the host is another one in tests."""

    def __init__(self, module: AnsibleModule, root: str = "") -> None:
        self.module, self.params, self.root = module, module.params, root
        self.run = detached(module, os.environ, SOCKET)
        self.fs = FileSystem()
        self.firewall = Firewall(self.fs, self.run, time.time, root)
        self.units = FirewallUnits(self.fs, self.run, root)
        self.watch = ExposureWatch(self.fs, self.run, root, self.params["watch_every"], self.params["watch_webhook"])
        self.session = session(os.getpid())

    def present(self) -> Result:
        self._refuse()
        ports = ssh_ports(self.params["ssh_ports"], listeners(), self.session.port)
        exposure = self._exposure(ports, True)
        result = {"nft": bool(self.module.get_bin_path("nft")), "confirm": False, "restored": ""}
        wanted = self.firewall.wanted(exposure)
        text, before = ruleset(wanted), self.firewall.saved()
        if not before and not self.params["cut"]:
            refuse_cut(self._cut(wanted))
        if not result["nft"]:
            return self._told(result, before, text, self.module.check_mode)
        self.firewall.judge(text)
        result["restored"] = in_place(self.run, self.fs, self.root) if before == text else ""
        rest = self._file_differs(exposure) or bool(result["restored"] or self.units.missing())
        watched = self.watch.ensure(self.params["watch"], self.module.check_mode)
        if not self.module.check_mode and text != before:
            try_out(self.firewall, exposure, text, self.session)
            result["confirm"] = True
        elif not self.module.check_mode and rest:
            self._mend(exposure, text)
        return self._told(result, before, text, text != before or rest or watched)

    def confirmed(self) -> Result:
        before, waiting = self.firewall.saved(), self.firewall.pending()
        if not self.module.check_mode:
            confirm(self.firewall, self.units, self.session)
        text = waiting["text"] if waiting else before
        return self._told({"nft": True, "confirm": False, "restored": ""}, before, text, waiting is not None)

    def absent(self) -> Result:
        before = self.firewall.saved()
        nft = bool(self.module.get_bin_path("nft"))
        ports = self.params["ssh_ports"] or ssh_ports([], listeners(), self.session.port)
        exposure = self._exposure(ports, False)
        there = bool(before) or (nft and not self.firewall.run(["nft", "list", "table", "inet", "portside"], None)[0])
        changed = there or self._file_differs(exposure) or bool(self.units.there())
        if changed and not self.module.check_mode:
            self._write(exposure)
            self.units.remove()
            if there:
                self.firewall.remove()
        watched = self.watch.ensure(self.params["watch"], self.module.check_mode)
        return self._told({"nft": nft, "confirm": False, "restored": ""}, before, "", changed or watched)

    def _refuse(self) -> None:
        if not self.units.possible():
            raise StackError(
                "firewall: systemd does not run this host, so nothing would load the rules at boot, or take back those that lock "
                "people out. Nothing was changed. Remedy: set firewall_enabled: false here."
            )
        found = others(self.run, self.fs, self.root)
        if found:
            raise StackError("firewall: nothing was changed: {0}.".format("; and ".join(found)))
        for warning in neighbours(self.run):
            self.module.warn("firewall: " + warning)

    def _exposure(self, ports: t.List[int], on: bool) -> Settings:
        for one in self.params["open"]:
            check_opening(one)
        for name in self.params["trusted_interfaces"]:
            check_interface(name)
        self.watch.check()
        params = self.params
        return Settings(ports, params["open"], params["trusted_interfaces"], on, params["waivers"], params["stack_root"])

    def _cut(self, wanted: Wanted) -> t.List[str]:
        engine = EngineClient(timeout=20)
        try:
            containers, networks = engine.containers(stopped=False), engine.get("/networks")
        except EngineUnavailable:
            containers, networks = [], []
        clients_from = int(self.fs.read(_CLIENTS).split()[0])
        guests = guests_bridges(self.fs, networks, self.root)
        inside = inside_addresses(self.run, self.fs, wanted.trusted, self.root)
        return cut(wanted, listeners(), containers, guests, inside, clients_from)

    def _mend(self, exposure: Settings, text: str) -> None:
        with self.firewall.alone():
            self._write(exposure)
            self.firewall.load(text)
        self.units.ensure()

    def _file_differs(self, exposure: Settings) -> bool:
        path = self.root + SETTINGS
        return not self.fs.lstat(path) or self.fs.read(path) != exposure.text()

    def _write(self, exposure: Settings) -> None:
        put(self.fs, self.root + SETTINGS, exposure.text())

    def _told(self, result: Result, before: str, after: str, changed: bool) -> Result:
        result.update(changed=changed, ruleset=after)
        if self.module._diff:
            header = "the table inet portside of nftables"
            result["diff"] = {"before": before, "after": after, "before_header": header, "after_header": header}
        return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "confirmed", "absent"], "default": "present"},
            "open": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "port": {"type": "int", "required": True},
                    "protocol": {"type": "str", "choices": ["tcp", "udp", "sctp"], "default": "tcp"},
                    "sources": {"type": "list", "elements": "str", "default": []},
                    "reason": {"type": "str", "required": True},
                },
            },
            "ssh_ports": {"type": "list", "elements": "int", "default": []},
            "trusted_interfaces": {"type": "list", "elements": "str", "default": []},
            "waivers": {"type": "list", "elements": "dict", "default": []},
            "stack_root": {"type": "path", "default": "/opt/stacks"},
            "cut": {"type": "bool", "default": False},
            "watch": {"type": "bool", "default": False},
            "watch_every": {"type": "str", "default": "5min"},
            "watch_webhook": {"type": "str", "default": "", "no_log": True},
        },
        supports_check_mode=True,
    )
    try:
        result = getattr(Work(module), module.params["state"])()
    except (StackError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
