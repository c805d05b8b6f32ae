# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying many ports of a host at once, from here.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Time, names and sockets come in as an object.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._port_probe_rules import (
    WORDS,
    Address,
    Controls,
    Port,
    Seen,
    entry_of,
    obstacle,
    report,
    seen_of,
)

FAMILIES = {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}

# Services that answer nothing but their own protocol, to what is harmless: a question for the root's name server, for
# the time, for QUIC of a version that nobody speaks.
_QUESTIONS = {
    53: b"\x50\x50\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01",
    123: b"\x23" + b"\0" * 47,
    443: b"\xc0\x1a\x2a\x3a\x4a\x08portside\x08portside" + b"\0" * 1177,
}


class Network(t.Protocol):
    """What the controller has. Whatever fails is an OSError; what takes too long is cancelled."""

    def now(self) -> float: ...

    async def look_up(self, name: str) -> t.List[t.Tuple[int, t.Any]]: ...

    def source(self, place: t.Any) -> str: ...

    async def connect(self, place: t.Any, port: int) -> None: ...

    async def exchange(self, place: t.Any, port: int, question: bytes) -> None: ...


class Prober:
    """Tries many ports at once, no more than ``parallel``."""

    def __init__(self, network: Network, timeout: float, attempts: int, parallel: int) -> None:
        self._network, self._timeout, self._attempts, self._parallel = network, timeout, attempts, parallel

    async def run(self, names: t.Sequence[str], ports: t.Sequence[Port], via: str) -> t.Dict[str, t.Any]:
        """The report; with ``via`` nothing is sent at all."""
        # Made here, as before Python 3.10 it belongs to the loop that runs when it is made.
        free = asyncio.Semaphore(self._parallel)

        async def tried(pairs: t.Sequence[t.Tuple[Address, Port]]) -> t.Dict[t.Tuple[str, Port], Seen]:
            found = await asyncio.gather(*(self._try(free, address, port) for address, port in pairs))
            return {(address.text, port): seen for (address, port), seen in zip(pairs, found)}

        addresses = await self._addresses(names, via)
        every = [(address, port) for address in addresses for port in ports]
        sent = [(address, port) for address, port in every if not address.obstacle]
        # What may answer is tried first, so that it is known early, and at the end what did.
        may_answer = [pair for pair in sent if pair[1].protocol == "tcp" and pair[1].declared != "closed"]
        before = await tried(may_answer)
        seen = dict(before)
        seen.update(await tried([pair for pair in sent if (pair[0].text, pair[1]) not in before]))
        after = await tried([pair for pair in may_answer if before[pair[0].text, pair[1]].what == "open"])
        controls = {
            address.text: Controls(
                [port.port for other, port in may_answer if other is address],
                _answering(address, before),
                _answering(address, after),
            )
            for address in addresses
        }
        results = [
            entry_of(address, port, seen.get((address.text, port), Seen("untried")), controls[address.text])
            for address, port in every
        ]
        return report(results, addresses, controls)

    async def _addresses(self, names: t.Sequence[str], via: str) -> t.List[Address]:
        """Every address once."""
        unique = list(dict.fromkeys(names))
        if via:
            why = "the host is reached {0}, so the controller does not see what others do".format(via)
            return [Address(name, _family(name), None, why) for name in unique]
        found: t.Dict[str, Address] = {}
        for several in await asyncio.gather(*(self._look_up(name) for name in unique)):
            for address in several:
                found.setdefault(address.text, address)
        return list(found.values())

    async def _look_up(self, name: str) -> t.List[Address]:
        try:
            answers = await asyncio.wait_for(self._network.look_up(name), self._timeout * self._attempts)
        except asyncio.TimeoutError:
            return [Address(name, "", None, "no name server answered in time")]
        except (OSError, UnicodeError) as error:
            said = getattr(error, "strerror", None) or str(error)
            return [Address(name, "", None, "the controller does not find the name: {0}".format(said))]
        return [self._reached(FAMILIES[family], place) for family, place in answers if family in FAMILIES]

    def _reached(self, family: str, place: t.Any) -> Address:
        text = place[0]
        try:
            return Address(text, family, place, obstacle(text, self._network.source(place)))
        except OSError as error:
            why = "the controller has no {0} route to it: {1}".format(WORDS[family], error.strerror or error)
            return Address(text, family, place, why)

    async def _try(self, free: asyncio.Semaphore, address: Address, port: Port) -> Seen:
        async with free:
            began = self._network.now()
            seen = Seen("untried")
            for _attempt in range(self._attempts):
                seen = await self._once(address, port)
                if seen.what in ("open", "refused"):
                    break
            return seen._replace(seconds=self._network.now() - began)

    async def _once(self, address: Address, port: Port) -> Seen:
        if port.protocol == "tcp":
            act = self._network.connect(address.place, port.port)
        else:
            act = self._network.exchange(address.place, port.port, _QUESTIONS.get(port.port, b"\r\n"))
        try:
            await asyncio.wait_for(act, self._timeout)
        except (OSError, asyncio.TimeoutError) as error:
            return seen_of(error)
        return seen_of(None)


def _answering(address: Address, tried: t.Mapping[t.Tuple[str, Port], Seen]) -> t.List[int]:
    return [port.port for (text, port), seen in tried.items() if text == address.text and seen.what == "open"]


def _family(text: str) -> str:
    try:
        return "ipv{0}".format(ipaddress.ip_address(text.partition("%")[0]).version)
    except ValueError:
        return ""
