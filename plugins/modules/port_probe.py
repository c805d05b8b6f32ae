#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: port_probe
short_description: See from outside which ports of a host answer
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Tries ports of a host from where the module runs, which has to be another machine, such as the controller with
    C(delegate_to=localhost). What is declared open must answer, and what else listens on the host must not.
  - That a port does not answer counts only where another port of the same address accepts a connection, before and after.
    Without that, and wherever else nothing can be said, the outcome is V(not_checked) with the reason.
  - A TCP port is open when it accepts a connection, even if that is closed at once. Nothing is sent to it.
  - Over UDP an answer proves a port open, and an ICMP message that refuses it proves it closed. Silence proves nothing.
    Many services answer only what they understand; for ports 53, 123 and 443 something fitting is sent.
  - An address of the machine that this runs on, and a loopback address, are not checked. A family of addresses that it has
    no route for is not checked either.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    description: Changes nothing, so it does all of it.
  diff_mode:
    support: N/A
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
options:
  addresses:
    description:
      - The host's addresses, or names, of which every IPv4 and IPv6 address is tried.
    type: list
    elements: str
    required: true
  open:
    description:
      - What is declared open. It must answer. A port that is here and in O(closed) too counts as open.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: Its number on the host.
        type: int
        required: true
      protocol:
        description: Its protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      owner:
        description: Who listens there, for messages, such as V(stack shop, service api).
        type: str
        default: ""
  closed:
    description:
      - Everything else that listens on the host. It must not answer.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: Its number on the host.
        type: int
        required: true
      protocol:
        description: Its protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      owner:
        description: Who listens there, for messages, such as V(stack shop, service db).
        type: str
        default: ""
  control:
    description:
      - TCP ports that are known to answer, such as that of ssh, and are there for comparison only. They count neither as
        declared open nor, where they are in O(closed) too, as closed.
    type: list
    elements: int
    default: []
  via:
    description:
      - How the host is reached where it is not directly, such as V(through the jump host bastion). Then nothing is sent, and
        nothing is checked.
    type: str
    default: ""
  timeout:
    description:
      - How many seconds one try may take.
      - The whole takes at most O(timeout) times O(attempts) times four more than the number of tries divided by O(parallel).
        There is one try per address and port, and a second one for those that are to answer over TCP.
    type: float
    default: 3
  attempts:
    description:
      - How often a port that does not answer is tried.
    type: int
    default: 2
  parallel:
    description:
      - How many ports are tried at once.
    type: int
    default: 64
  fail:
    description:
      - Whether the task fails when there are violations. It does not for what was not checked.
    type: bool
    default: false
notes:
  - A firewall before the controller that lets little out, such as one that lets out ssh only, makes ports look filtered. What
    answers in the place of the host, such as a transparent proxy, makes them look open.
  - A host that counts connections, as C(fail2ban) and C(ufw limit) do, may come to block the controller. This is noticed by
    the ports that are to answer, and nothing is said then.
seealso:
  - module: portside.stack.health_check
"""

EXAMPLES = r"""
- name: See from here what answers
  portside.stack.port_probe:
    addresses: [shop.example.org, 2001:db8::7]
    control: [22]
    open:
      - {port: 443, owner: "stack shop, service edge"}
    closed:
      - {port: 5432, owner: "stack shop, service db"}
      - {port: 8125, protocol: udp, owner: "process statsd"}
    fail: true
  delegate_to: localhost
  become: false
"""

RETURN = r"""
results:
  description: What came of each port of each address.
  returned: always
  type: list
  elements: dict
  contains:
    address:
      description: The address, or the name where none was found.
      type: str
    family:
      description: V(ipv4) or V(ipv6), or none for a name.
      type: str
    port:
      description: The port.
      type: int
    protocol:
      description: V(tcp) or V(udp).
      type: str
    owner:
      description: Who listens there, as given.
      type: str
    declared:
      description: V(open), V(closed) or V(control).
      type: str
    outcome:
      description: V(open), V(closed) where it is refused, V(filtered) where it is not answered, or V(not_checked).
      type: str
    why:
      description: What the outcome rests on.
      type: str
    seconds:
      description: How long it took.
      type: float
violations:
  description:
    - What is not as it is declared, with C(rule), which is V(reachable_from_outside) or V(not_reachable_from_outside), C(what),
      C(why), C(remedy), C(severity), and as C(endpoint) the C(protocol), C(family), C(address) and C(port).
  returned: always
  type: list
  elements: dict
not_checked:
  description: A sentence for everything that nothing can be said of, with the reason.
  returned: always
  type: list
  elements: str
checked_families:
  description: The families, V(ipv4) and V(ipv6), of which at least one address could be judged.
  returned: always
  type: list
  elements: str
  sample: [ipv4]
text:
  description: All that people need to know, in lines.
  returned: always
  type: str
"""

import asyncio
import contextlib
import signal
import socket
import threading
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._port_probe import Prober
from ansible_collections.portside.stack.plugins.module_utils._port_probe_rules import ports_of

PORT_OPTIONS = {
    "port": {"type": "int", "required": True},
    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
    "owner": {"type": "str", "default": ""},
}


class ControllerNetwork:
    """The network of the machine that this runs on."""

    now = staticmethod(time.monotonic)

    async def look_up(self, name: str) -> t.List[t.Tuple[int, t.Any]]:
        loop = asyncio.get_running_loop()
        answer = loop.create_future()

        def give(found: t.Any) -> None:
            if not answer.done():
                answer.set_result(found)

        def ask() -> None:
            try:
                found: t.Any = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                found = error
            # The loop may be closed by now, nobody waits then.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(give, found)

        # It heeds no time limit of its own.
        threading.Thread(target=ask, daemon=True).start()
        found = await answer
        if isinstance(found, Exception):
            raise found
        return [(family, place) for family, _type, _protocol, _name, place in found]

    def source(self, place: t.Any) -> str:
        # Connecting over UDP sends nothing.
        with self._socket(place, socket.SOCK_DGRAM) as made:
            made.connect(self._with_port(place, 9))
            return made.getsockname()[0]

    async def connect(self, place: t.Any, port: int) -> None:
        with self._socket(place, socket.SOCK_STREAM) as made:
            await asyncio.get_running_loop().sock_connect(made, self._with_port(place, port))

    async def exchange(self, place: t.Any, port: int, question: bytes) -> None:
        with self._socket(place, socket.SOCK_DGRAM) as made:
            made.connect(self._with_port(place, port))
            made.send(question)
            await asyncio.get_running_loop().sock_recv(made, 2048)

    def _socket(self, place: t.Any, kind: int) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if len(place) == 4 else socket.AF_INET, kind)
        made.setblocking(False)
        return made

    def _with_port(self, place: t.Any, port: int) -> t.Any:
        return (place[0], port) + tuple(place[2:])


def run(params: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    if params["timeout"] <= 0 or params["attempts"] < 1 or params["parallel"] < 1:
        raise StackError("timeout must be greater than 0, attempts and parallel at least 1. Remedy: give them so, or not at all.")
    if not params["addresses"]:
        raise StackError("addresses is empty. Remedy: give the host's addresses, or a name of it.")
    ports = ports_of(params["open"], params["closed"], params["control"])
    prober = Prober(ControllerNetwork(), params["timeout"], params["attempts"], params["parallel"])
    return asyncio.run(interruptible(prober.run(params["addresses"], ports, params["via"].strip())))


async def interruptible(work: t.Awaitable[t.Dict[str, t.Any]]) -> t.Dict[str, t.Any]:
    """Its result, unless a signal ends it: what it has open is closed then."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    came = []

    def interrupt(number: signal.Signals) -> None:
        came.append(number.name)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupt, number)
    try:
        return await work
    except asyncio.CancelledError:
        told = "interrupted by {0}. Nothing is said of any port, and nothing was changed.".format(", ".join(came))
        raise StackError(told) from None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "addresses": {"type": "list", "elements": "str", "required": True},
            "open": {"type": "list", "elements": "dict", "default": [], "options": PORT_OPTIONS},
            "closed": {"type": "list", "elements": "dict", "default": [], "options": PORT_OPTIONS},
            "control": {"type": "list", "elements": "int", "default": []},
            "via": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 3},
            "attempts": {"type": "int", "default": 2},
            "parallel": {"type": "int", "default": 64},
            "fail": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        found = run(module.params)
    except StackError as error:
        module.fail_json(msg="ports could not be probed: {0}".format(error))
    if module.params["fail"] and found["violations"]:
        module.fail_json(msg=found["text"], **found)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
