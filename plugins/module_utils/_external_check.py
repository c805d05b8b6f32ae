# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module external_check does: services elsewhere, tried from where the stack's own will be.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._compose_resources import create_resource, missing_resources
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError, EngineUnavailable
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._external_container import (
    have_image,
    remove_leftovers,
    try_from,
)
from ansible_collections.portside.stack.plugins.module_utils._external_url import Target, target_of

# What each outcome means, and what to do about it.
_MEANING = {
    "dns": (
        "its name is not found",
        "correct the host in {where}, or see to its DNS record and to the host's name servers; containers do not read "
        "the host's /etc/hosts",
    ),
    "refused": (
        "the connection is refused",
        "correct the port in {where}, or start the server, and have it listen on an address that is reached from here",
    ),
    "timeout": (
        "it does not answer",
        "let this host in at the service's firewall or list of allowed addresses, and out at the host's own; network "
        "{network} must not be internal; where it connected, correct the port in {where}",
    ),
    "unreachable": (
        "there is no way to it",
        "see the host's routes and firewall; network {network} must not be internal",
    ),
    "tls": ("TLS fails", "correct the host or the TLS settings in {where}, or the server's certificate"),
    "authentication": ("it does not let in", "correct user and password in {where}, or what the service allows this user"),
    "protocol": ("it answers, but cannot be used", "correct host, port and database in {where}, and see the service's own log"),
}


class External(t.NamedTuple):
    """An external service as it is declared; ``network`` is what the engine calls it."""

    name: str
    kind: str
    network: str
    secret: t.Optional[str] = None
    host: t.Optional[str] = None
    port: t.Optional[int] = None


class Tried(t.NamedTuple):
    """What came of one; outcome is ok, one of those above, or not_checked."""

    external: External
    target: Target
    outcome: str
    text: str

    def result(self) -> t.Dict[str, t.Any]:
        """As the task returns it."""
        keys = ("name", "kind", "network")
        found = {key: getattr(self.external, key) for key in keys}
        return dict(found, address=address(self.target), outcome=self.outcome, text=self.text)


def targets_of(stack: str, externals: t.Sequence[External], values: t.Mapping[str, bytes]) -> t.List[Target]:
    """What to reach; all problems of the values at once, none of which is told."""
    problems, targets = [], []
    for one in externals:
        if one.secret is None:
            targets.append(Target(one.kind, [(one.host, one.port)], "verify-full"))
            continue
        try:
            url = values[one.secret].decode("utf-8")
            targets.append(target_of(one.kind, url))
        except (StackError, UnicodeDecodeError, KeyError) as error:
            why = str(error) if isinstance(error, StackError) else "has no value that is text"
            problems.append(
                "stack {0}: external service {1}: the value of secret {2} {3}. Remedy: correct it in stack_secrets, or its "
                "template.".format(stack, one.name, one.secret, why)
            )
    if problems:
        raise StackError("\n".join(problems))
    return targets


class ExternalCheck:
    """The external services of one stack."""

    def __init__(
        self,
        stack: str,
        networks: t.Mapping[str, t.Any],
        engine: EngineClient,
        run: Run,
        now: float,
        check_mode: bool,
    ) -> None:
        """``networks`` are those that the stack makes itself, by the engine's names, as in `x-portside`."""
        self._stack, self._networks, self._engine, self._run = stack, networks, engine, run
        self._now, self._check_mode = now, check_mode

    def carry_out(self, externals: t.Sequence[External], targets: t.Sequence[Target], timeout: float) -> t.List[Tried]:
        """Try them all, those on one network together."""
        try:
            there = {network["Name"]: network for network in self._engine.get("/networks")}
        except EngineUnavailable:
            if not self._check_mode:
                raise
            there = {}
        found: t.Dict[str, Tried] = {}
        for network in sorted({one.network for one in externals}):
            own = [pair for pair in zip(externals, targets) if pair[0].network == network]
            found.update({tried.external.name: tried for tried in self._on(network, own, there, timeout)})
        return [found[one.name] for one in externals]

    def _on(
        self,
        network: str,
        own: t.List[t.Tuple[External, Target]],
        there: t.Mapping[str, t.Any],
        timeout: float,
    ) -> t.List[Tried]:
        makes = network not in there and network in self._networks and not self._check_mode
        if network not in there and not makes:
            why = "network {0} is not on the host yet".format(network)
            return [Tried(one, target, "not_checked", why) for one, target in own]
        try:
            have_image(self._engine, self._run)
            remove_leftovers(self._engine, self._stack, self._now)
            with self._made(network) if makes else contextlib.nullcontext():
                outcomes = try_from(self._run, self._stack, network, [target for _one, target in own], timeout)
        except EngineError as error:
            raise StackError("stack {0}: external services could not be tried: {1}.".format(self._stack, error)) from error
        return [
            Tried(one, target, outcome, explained(self._stack, one, target, outcome, said))
            for (one, target), (outcome, said) in zip(own, outcomes)
        ]

    @contextlib.contextmanager
    def _made(self, network: str) -> t.Iterator[None]:
        """The network for the time of the body: as long as nothing of the stack runs, nothing of it is left."""
        wanted = {"networks": {network: self._networks[network]}}
        for resource in missing_resources(self._stack, wanted, {}, {})[0]:
            create_resource(self._stack, self._engine, resource)
        try:
            yield
        finally:
            # Somebody else may have come to use it meanwhile.
            with contextlib.suppress(EngineError):
                self._engine.delete("/networks/{0}".format(network))


def explained(stack: str, external: External, target: Target, outcome: str, said: str) -> str:
    """An outcome as people read it."""
    what = "stack {0}: external service {1} ({2}, {3})".format(stack, external.name, external.kind, address(target))
    if outcome == "ok":
        if target.tls.startswith("verify") and not target.verifiable:
            return what + " lets in; its certificate was not judged, the file that says whom to trust is in a container."
        return what + (" answers." if external.secret is None else " lets in.")
    meaning, remedy = _MEANING[outcome]
    where = "secret " + external.secret if external.secret else "external.{0}".format(external.name)
    return "{0}, seen from network {1}: {2}: {3}. Remedy: {4}.".format(
        what, external.network, meaning, said.rstrip("."), remedy.format(where=where, network=external.network)
    )


def address(target: Target) -> str:
    """Host and port, without anything secret."""
    return ",".join("{0}:{1}".format("[{0}]".format(host) if ":" in host else host, port) for host, port in target.places)
