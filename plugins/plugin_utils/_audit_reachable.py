# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is reachable on a host that need not have declared anything: ranked, with why.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._exposure_model import (
    is_global,
    is_loopback,
    is_wildcard,
    listed,
    named,
    shown,
)
from ansible_collections.portside.stack.plugins.plugin_utils._audit_services import OTHER, known

Mapping = t.Mapping[str, t.Any]
Row = t.Dict[str, t.Any]

RANKS = ("high", "medium", "low", "listed")
# What of the judgement on declared exposure holds on any host; ports are ranked here.
_HOST_RULES = (
    "own_address",
    "shared_network",
    "routed_network",
    "ipv6_unfiltered",
    "forward_accept",
    "loopback_unprotected",
    "engine_setting",
    "firewall_gone",
    "firewall_ineffective",
    "swarm_mesh",
    "extra_network",
    "orphan",
)
_MOST_TOLD = 5


def rows(facts: Mapping, probe: t.Optional[Mapping] = None) -> t.List[Row]:
    """Everything that is bound to more than loopback, the worst first."""
    images = {one["id"]: one["image"] for one in facts["containers"]}
    results: t.Dict[t.Tuple[str, int], t.List[Mapping]] = {}
    for one in (probe or {}).get("results") or ():
        results.setdefault((one["protocol"], one["port"]), []).append(one)
    found = [_ranked(facts, row, images, results.get((row["protocol"], row["port"]), [])) for row in _ranges(_bound(facts))]
    return sorted(found, key=lambda row: (RANKS.index(row["rank"]), row["port"], row["protocol"], row["owner"]))


def _bound(facts: Mapping) -> t.List[Row]:
    """Each port once, with all addresses that one owner has it at."""
    published = {(one["protocol"], one["address"], one["published"]) for one in facts["published"]}
    every = [dict(one, port=one["published"], nat=True) for one in facts["published"]]
    every += [
        dict(one, target=one["port"], nat=False)
        for one in facts["endpoints"]
        if not one["published"] and (one["protocol"], one["address"], one["port"]) not in published and not _is_client(facts, one)
    ]
    groups: t.Dict[t.Any, Row] = {}
    for one in every:
        if not is_loopback(one["address"]):
            who = one["owner"]
            key = (one["protocol"], one["port"], one["target"], one["nat"], who["container_id"], who["process"])
            row = groups.setdefault(key, {"who": who, "addresses": [], **{name: one[name] for name in ("protocol", "port", "target", "nat")}})
            row["addresses"] = sorted({*row["addresses"], one["address"]})
    return [groups[key] for key in sorted(groups)]


def _is_client(facts: Mapping, one: Mapping) -> bool:
    """Whether it waits for an answer rather than for requests, as resolvers do: UDP at a port that the kernel chose."""
    first, last = facts["ephemeral"]
    return one["protocol"] == "udp" and first <= one["port"] <= last


def _ranges(bound: t.Iterable[Row]) -> t.List[Row]:
    """Ports in a row of one owner as one."""
    found: t.List[Row] = []
    for row in sorted(bound, key=lambda row: (row["protocol"], row["who"]["container_id"], row["who"]["process"], row["nat"], row["addresses"], row["port"])):
        last = found[-1] if found else None
        same = last and all(last[key] == row[key] for key in ("protocol", "who", "nat", "addresses"))
        if last and same and row["port"] == last["last"] + 1 and row["port"] - row["target"] == last["port"] - last["target"]:
            last["last"] = row["port"]
        else:
            found.append(dict(row, last=row["port"]))
    return found


def _ranked(facts: Mapping, row: Row, images: Mapping, results: t.Sequence[Mapping]) -> Row:
    who, image = row["who"], images.get(row["who"]["container_id"], "")
    service = known(row["protocol"], row["port"], row["target"], image, "" if row["nat"] else who["process"])
    seen, said = _seen(facts, row, results)
    rank, note = service.kind.severity or "listed", "" if service.kind.severity else "meant for others"
    filtered = [name for name in ("ufw", "firewalld") if facts["firewall"][name]] if not row["nat"] else []
    table = facts["firewall"]["portside"]
    if _is_declared(facts, row):
        rank, note = "listed", "declared"
    elif all(_is_local(facts, one) for one in row["addresses"]):
        rank, note = "listed", "containers and neighbours only"
    elif table["in_place"] and row["port"] not in table["public"].get(row["protocol"], ()):
        rank, note = "listed", "dropped by the firewall"
    elif rank != "listed" and seen == "silent":
        rank, note = ("low" if service.kind is not OTHER else "listed"), "does not answer from outside"
    elif rank != "listed" and seen != "answers" and filtered:
        rank = "medium" if rank == "high" else "low"
    return {
        "rank": rank,
        "rule": service.kind.rule,
        "protocol": row["protocol"],
        "port": row["port"],
        "last": row["last"],
        "target": row["target"],
        "addresses": row["addresses"],
        "owner": named(who),
        "subject": _subject(who),
        "image": image,
        "service": service.label,
        "seen": seen,
        "note": note,
        "published": row["nat"],
        "why": " ".join(filter(None, [_bound_why(facts, row, filtered), said, service.kind.why])),
    }


def _seen(facts: Mapping, row: Row, results: t.Sequence[Mapping]) -> t.Tuple[str, str]:
    """Whether it answers from the controller, and that as a sentence."""
    answering = sorted({one["address"] for one in results if one["outcome"] == "open"})
    if answering:
        return "answers", "It answers from the controller, at {0}.".format(listed(answering))
    bound = {"ipv6" if ":" in one else "ipv4" for one in row["addresses"]}
    families = {family for family in bound if facts["addresses"][family]}
    judged = {one["family"] for one in results if one["outcome"] in ("closed", "filtered")}
    unknown = {one["family"] for one in results if one["outcome"] == "not_checked"}
    if families and families <= judged - unknown:
        return "silent", "Nothing answers there from the controller: something in front of it keeps it for now, and nothing else does."
    return "not checked", "Whether it answers from outside was not seen."


def _is_declared(facts: Mapping, row: Row) -> bool:
    who = row["who"]
    for one in facts.get("declared") or ():
        first, _dash, last = one["published"].partition("-")
        numbers = range(int(first), int(last or first) + 1) if first and first != "0" else None
        covers = row["port"] in numbers if numbers else row["target"] == one["target"]
        own = not one["stack"] or (one["stack"], one["service"]) == (who["stack"], who["service"])
        if one["exposure"] == "public" and one["protocol"] == row["protocol"] and own and covers:
            return True
    return False


def _is_local(facts: Mapping, address: str) -> bool:
    """Whether it is an address of the engine's own bridge, or one of a single link."""
    bridges = {one["interface"] for one in facts["networks"] if one["interface"]}
    own = {address["address"]: one["name"] for one in facts["interfaces"] for address in one["addresses"]}
    return own.get(address) in bridges or address.lower().startswith("fe80:")


def _bound_why(facts: Mapping, row: Row, filtered: t.Sequence[str]) -> str:
    if any(is_wildcard(one) for one in row["addresses"]):
        families = {"ipv6" if ":" in one else "ipv4" for one in row["addresses"] if is_wildcard(one)}
        own = [one for family in sorted(families) for one in facts["addresses"][family]]
        bound = "all addresses of the host" + (" ({0})".format(listed(own)) if own else "")
    else:
        bound = listed(row["addresses"])
    if row["nat"]:
        return "It is published on {0}, where Docker's NAT leads it past the rules of ufw and the like.".format(bound)
    if row["who"]["container_id"]:
        return "The container runs in the host's network and listens on {0}, without anything being published.".format(bound)
    told = ", and {0} is active, whose rules were not read".format(listed(filtered)) if filtered else ""
    return "It listens on {0}{1}.".format(bound, told)


def _subject(who: Mapping) -> str:
    return "container {0}".format(who["container"]) if who["container"] else "process {0}".format(who["process"] or "unknown")


def ports_of(row: Mapping) -> str:
    """A port or a range of them, with the protocol."""
    return "{0}{1}/{2}".format(row["port"], "-{0}".format(row["last"]) if row["last"] != row["port"] else "", row["protocol"])


def reach_findings(found: t.Iterable[Row]) -> t.Iterator[Row]:
    """What of it somebody has to look at."""
    for row in found:
        if row["rank"] != "listed":
            where = listed(shown(one, row["port"]) for one in row["addresses"])
            what = "{0} of {1} can be reached at {2} ({3}).".format(row["service"] or "Port {0}".format(row["port"]), row["owner"], where, ports_of(row))
            yield {
                "severity": row["rank"],
                "rule": row["rule"],
                "what": what[0].upper() + what[1:] if what.startswith(("the ", "a ", "an ")) else what,
                "why": row["why"],
                "remedy": _remedy(row),
                "subject": row["subject"],
            }


def _remedy(row: Mapping) -> str:
    if row["published"]:
        bind = "127.0.0.1:{0}:{1}".format(row["port"], row["target"])
        remedy = "Take the port away, containers reach each other without; or publish it for this host alone ({0}), and reach it through ssh or a proxy."
        return remedy.format(bind)
    if row["subject"].startswith("container"):
        return "Take network_mode: host away and publish what others may reach, or have it listen on 127.0.0.1."
    return "Have it listen on 127.0.0.1, stop it, or keep the port in with a firewall."


def host_findings(facts: Mapping) -> t.List[Row]:
    """What the judgement on exposure says of networks, engine and firewall; what many containers have in common is one finding."""
    groups: t.Dict[t.Tuple[str, str], t.List[Mapping]] = {}
    for one in facts.get("violations") or ():
        # The engine's own port is ranked among the others.
        if one["rule"] in _HOST_RULES and not (one["rule"] == "engine_setting" and one["endpoint"]):
            groups.setdefault((one["rule"], one["why"]), []).append(one)
    found = []
    for (rule, why), some in groups.items():
        whats = list(dict.fromkeys(one["what"][:1].upper() + one["what"][1:] for one in some))
        more = " And {0} more.".format(len(whats) - _MOST_TOLD) if len(whats) > _MOST_TOLD else ""
        names = list(dict.fromkeys("container {0}".format(one["container"]) for one in some if one["container"]))
        found.append(
            {
                "severity": some[0]["severity"],
                "rule": rule,
                "what": " ".join(whats[:_MOST_TOLD]) + more,
                "why": why,
                "remedy": some[0]["remedy"],
                "subject": names[0] if len(names) == 1 else "{0} containers".format(len(names)) if names else "the host",
            }
        )
    return found


def audit_probe(facts: t.Any, address: str = "", ssh_port: t.Any = 22, addresses: t.Any = (), ssh_arguments: str = "", connection: str = "ssh") -> Row:
    """The arguments of the module port_probe for a host: what to try, where, and what is known to answer."""
    found = rows(facts)
    ssh = [row["port"] for row in found if row["service"] == "ssh" and row["protocol"] == "tcp"]
    control = list(dict.fromkeys([int(ssh_port), *ssh]))
    closed = [
        {"port": row["port"], "protocol": row["protocol"], "owner": row["subject"]}
        for row in found
        if row["protocol"] in ("tcp", "udp") and not (row["protocol"] == "tcp" and row["port"] in control)
    ]
    via = ""
    if connection in ("local", "ansible.builtin.local"):
        via = "as the machine that the audit runs on"
    elif not connection.endswith(("ssh", "smart", "paramiko")):
        via = "through the connection plugin {0}".format(connection)
    elif any(word in ssh_arguments for word in ("ProxyJump", "ProxyCommand", "-J")):
        via = "through a jump host"
    # From the command line they come as one text.
    given = [one.strip() for one in addresses.split(",") if one.strip()] if isinstance(addresses, str) else list(addresses)
    return {"addresses": given or _addresses(facts, address), "closed": closed, "control": control, "via": via}


def _addresses(facts: Mapping, address: str) -> t.List[str]:
    """Where the controller gets to the host: as it does itself, and at addresses that are the host's alone.

    A private address may be another machine's where the controller is; it is tried when the host was reached at one beside it.
    """
    own = [one for family in ("ipv4", "ipv6") for one in facts["addresses"][family]]
    beside = next(
        (
            [place["address"] for place in one["addresses"]]
            for one in facts["interfaces"]
            if any(place["address"] == address for place in one["addresses"])
        ),
        [],
    )
    return list(dict.fromkeys(filter(None, [address, *[one for one in own if is_global(one) or one in beside]])))
