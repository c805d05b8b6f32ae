# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a host bears on who is reachable beside its sockets: filter rules, addresses, the settings of its daemon.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Nothing is loaded or made by reading: iptables-save tells of the tables that are there, and iptables -L would make them.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run

Found = t.Dict[str, t.Any]

_DAEMON_JSON = "/etc/docker/daemon.json"
_RAW_OFF = "DOCKER_INSECURE_NO_IPTABLES_RAW"
# Settings of dockerd's command line that are lists; all others are single values, or without one true.
_LISTS = {"-H": "hosts", "--host": "hosts"}
_SETTINGS = (
    "iptables",
    "ip6tables",
    "ip",
    "userland-proxy",
    "allow-direct-routing",
    "firewall-backend",
    "tlsverify",
    "config-file",
)
_SYSCTLS = {"ipv4": "net/ipv4/ip_forward", "ipv6": "net/ipv6/conf/all/forwarding"}


def daemon_settings(fs: t.Any, cmdline: str, unseen: t.List[str]) -> Found:
    """What dockerd was told, by daemon.json and by its command line (as the kernel has it)."""
    told = parse_cmdline(cmdline.split("\0"))
    path = told.get("config-file", _DAEMON_JSON)
    try:
        read = json.loads(fs.read(path).decode("utf-8"))
    except FileNotFoundError:
        read = {}
    except (OSError, ValueError) as error:
        unseen.append("{0} could not be read ({1}): the daemon's settings are those of its command line alone.".format(path, error))
        read = {}
    return dict(read if isinstance(read, dict) else {}, **told)


def parse_cmdline(words: t.Sequence[str]) -> Found:
    """The settings of a command line of dockerd."""
    found: Found = {}
    for index, word in enumerate(words):
        key, equals, value = word.partition("=")
        following = words[index + 1] if index + 1 < len(words) else ""
        if key in _LISTS:
            found.setdefault(_LISTS[key], []).append(value if equals else following)
        elif key[2:] in _SETTINGS and key.startswith("--"):
            name = key[2:]
            if name in ("ip", "firewall-backend", "config-file"):
                found[name] = value if equals else following
            else:
                found[name] = value.lower() not in ("false", "0") if equals else True
    return found


def raw_rules_off(environ: str) -> bool:
    """Whether dockerd's environment keeps it from protecting loopback ports. Only that name is looked at."""
    return any(one.partition("=")[0] == _RAW_OFF for one in environ.split("\0"))


def parse_saved(text: str) -> Found:
    """The policies and rules of ``iptables-save`` by table and chain."""
    tables: Found = {}
    chains: Found = {}
    for line in text.splitlines():
        if line.startswith("*"):
            chains = tables.setdefault(line[1:].strip(), {})
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            chains[name] = {"policy": "" if policy == "-" else policy, "rules": []}
        elif line.startswith("-A "):
            _append, name, rule = (line + " ").split(" ", 2)
            chains.setdefault(name, {"policy": "", "rules": []})["rules"].append(rule.strip())
    return tables


def _chain(tables: Found, table: str, chain: str) -> Found:
    return tables.get(table, {}).get(chain) or {"policy": "", "rules": []}


def filter_facts(tables: t.Optional[Found]) -> t.Optional[Found]:
    """What the rules of one family say; none where they could not be read."""
    if tables is None:
        return None
    forward = _chain(tables, "filter", "FORWARD")
    jumps = " ".join(forward["rules"])
    return {
        "input_policy": _chain(tables, "filter", "INPUT")["policy"],
        # Without a table there is nothing that drops.
        "forward_policy": forward["policy"] or "ACCEPT",
        "docker_forward": "-j DOCKER" in jumps.replace("-j DOCKER-USER", ""),
        "docker_nat": any(rule.endswith("-j DOCKER") for rule in _chain(tables, "nat", "PREROUTING")["rules"]),
        "docker_user": [rule for rule in _chain(tables, "filter", "DOCKER-USER")["rules"] if rule != "-j RETURN"],
        "loopback_drop": any(_drops_loopback(rule) for rule in _chain(tables, "raw", "PREROUTING")["rules"]),
        "ufw": "ufw-user-input" in tables.get("filter", {}) or "ufw6-user-input" in tables.get("filter", {}),
    }


def _drops_loopback(rule: str) -> bool:
    return "-d 127.0.0.0/8" in rule and "! -i lo" in rule and rule.endswith("-j DROP")


def saved(run: Run, program: str, unseen: t.List[str]) -> t.Optional[Found]:
    """The rules of one family as they are; none where they could not be read."""
    code, out, err = run([program], None)
    if code == 0:
        return parse_saved(out)
    unseen.append("The rules of the kernel's packet filter were not seen: {0}: {1}.".format(program, _reason(code, err)))
    return None


def portside_table(run: Run, in_place: t.Callable[[], str]) -> Found:
    """The collection's own table in nftables: whether it is there, as it was written, and which ports it lets through."""
    code, out, _err = run(["nft", "-j", "list", "table", "inet", "portside"], None)
    found: Found = {"present": code == 0, "in_place": False, "reason": "", "public": {"tcp": [], "udp": []}}
    if code:
        return found
    found["reason"] = in_place()
    found["in_place"] = not found["reason"]
    sets = {one["set"]["name"]: one["set"].get("elem") or [] for one in json.loads(out)["nftables"] if "set" in one}
    for protocol, names in (("tcp", ("public_tcp", "ssh")), ("udp", ("public_udp",))):
        found["public"][protocol] = sorted({port for name in names for element in sets.get(name, ()) for port in _ports(element)})
    return found


def _ports(element: t.Any) -> t.Iterable[int]:
    if isinstance(element, dict):
        if "elem" in element:
            return _ports(element["elem"]["val"])
        first, last = element["range"]
        return range(first, last + 1)
    return [element]


def has_docker_tables(run: Run) -> t.Optional[bool]:
    """Whether the tables of an engine that uses nftables itself are there; none where that could not be seen."""
    code, out, _err = run(["nft", "list", "tables"], None)
    return "docker-bridges" in out if code == 0 else None


def firewalld_runs(run: Run) -> bool:
    code, out, _err = run(["firewall-cmd", "--state"], None)
    return code == 0 and out.strip() == "running"


def forwarding(fs: t.Any) -> t.Dict[str, bool]:
    """Whether the host routes, by family."""
    found = {}
    for family, name in _SYSCTLS.items():
        try:
            found[family] = fs.read("/proc/sys/" + name).strip() != b"0"
        except OSError:
            found[family] = False  # a kernel without that family
    return found


def ephemeral_range(fs: t.Any) -> t.Tuple[int, int]:
    """From which ports the kernel gives one to who asks for none."""
    try:
        first, last = fs.read("/proc/sys/net/ipv4/ip_local_port_range").split()
        return int(first), int(last)
    except (OSError, ValueError):
        return 32768, 60999


def interfaces(run: Run, unseen: t.List[str]) -> t.List[Found]:
    """The host's interfaces that have addresses."""
    code, out, err = run(["ip", "-j", "addr"], None)
    if code:
        unseen.append("The host's addresses were not seen: ip -j addr: {0}.".format(_reason(code, err)))
        return []
    return [
        {
            "name": one["ifname"],
            "addresses": [
                {"family": "ipv6" if address["family"] == "inet6" else "ipv4", "address": address["local"], "scope": address.get("scope", "")}
                for address in one.get("addr_info") or ()
                if address.get("local")
            ],
        }
        for one in json.loads(out)
        # Old versions of ip print empty members in place of the interfaces that they leave out.
        if one.get("ifname") and one.get("addr_info")
    ]


def outside_addresses(found: t.Iterable[Found], bridges: t.Container[str]) -> t.Dict[str, t.List[str]]:
    """The addresses at which the host is asked from outside, by family: not those of the engine's own bridges."""
    addresses: t.Dict[str, t.List[str]] = {"ipv4": [], "ipv6": []}
    for one in found:
        if one["name"] not in bridges and one["name"] != "docker0":
            for address in one["addresses"]:
                if address["scope"] == "global":
                    addresses[address["family"]].append(address["address"])
    return addresses


def _reason(code: int, err: str) -> str:
    return err.strip().rstrip(".").splitlines()[-1] if err.strip() else "exit code {0}".format(code)
