# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule four times: broken, waived, blocked by the firewall, and kept; then what holds for all hosts."""

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._exposure_judge import findings, judge
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import RULES, is_loopback
from exposure_facts import SINCE, container, declared, guarded, host, network, port, release, rules, socket
from hypothesis import given
from hypothesis import strategies as st

SHOP = release("shop", web={"ports": [{"target": 80, "published": "8080", "host_ip": "127.0.0.1", "protocol": "tcp"}]}, db={})
OPEN = [{"port": 9100, "protocol": "tcp", "sources": [], "reason": "node_exporter for the monitoring host"}]
ROUTED = {"com.docker.network.bridge.gateway_mode_ipv4": "routed"}
MESH = [{"service": "web", "published": 8080, "target": 80, "protocol": "tcp", "since": SINCE}]
LAN = network("lan", "macvlan", ["db"], options={"parent": "eth0"})
SIX = network("bridge", ipv6=True, attached=["db"])


def web(*ports, **keys):
    return container("shop-web-1", *ports, stack="shop", service="web", networks=("shop_default",), **keys)


def bed(*containers, **keys):
    """A host where the stack's network is."""
    return host(containers, networks=[network("shop_default", attached=["shop-web-1"])], **keys)


# rule, a host that breaks it, what is declared there, the words that must be told, the same host with it kept
CASES = [
    (
        "undeclared_port",
        lambda **keys: host([container("db", port(5432, target=5432), port(5432, "::", 5432))], **keys),
        declared(),
        ["container db publishes 0.0.0.0:5432 and [::]:5432", "outside of the stacks", "without an address", "INPUT", "docker rm -f db"],
        host([container("db", port(5432, "127.0.0.1"))]),
    ),
    (
        "undeclared_port",
        lambda **keys: bed(web(port(9000)), **keys),
        declared(SHOP),
        ["stack shop: service web", "0.0.0.0:9000", "docker rm -f shop-web-1) and deploy stack shop again", "shop.exposure.web"],
        bed(web(port(8080, "127.0.0.1"))),
    ),
    (
        "wider_than_declared",
        lambda **keys: bed(web(port(8080), port(8080, "::")), **keys),
        declared(SHOP),
        ["stack shop: service web", "0.0.0.0:8080 and [::]:8080", "loopback (127.0.0.1)", "docker rm -f shop-web-1) and deploy stack shop again"],
        bed(web(port(8080, "127.0.0.1"))),
    ),
    (
        "undeclared_listener",
        lambda **keys: host(endpoints=[socket(9101, "node_exporter"), socket(9101, "node_exporter", "::")], **keys),
        declared(open=OPEN),
        ["process node_exporter (pid 7, user root)", "0.0.0.0:9101 and [::]:9101", "neither ufw nor firewalld", "127.0.0.1 alone"],
        host(endpoints=[socket(9100, "node_exporter"), socket(9101, "x", "127.0.0.1"), socket(22, "sshd"), socket(53, "systemd-resolve", "127.0.0.53")]),
    ),
    (
        "host_network",
        lambda **keys: host([container("redis")], [socket(6379, "redis-server", of=container("redis"))], **keys),
        declared(),
        ["container redis", "redis-server listens on 0.0.0.0:6379", "network_mode: host"],
        host([container("redis")], [socket(6379, "redis-server", "127.0.0.1", of=container("redis"))]),
    ),
    (
        "shared_network",
        lambda **keys: bed(web(port(8080)), container("spy", networks=(), network_mode="container:" + web()["id"]), **keys),
        declared(release("shop", web={"ports": [{"target": 80, "published": "8080"}]})),
        ["container spy is in the network of container shop-web-1", "0.0.0.0:8080", "port 80"],
        bed(web(port(8080)), container("spy")),
    ),
    (
        "own_address",
        lambda **keys: host([container("db", networks=("lan",))], networks=[LAN], **keys),
        declared(),
        ["container db has an address of its own", "172.17.0.", "macvlan network lan", "nor any firewall"],
        host([container("db", networks=("lan",))], networks=[dict(LAN, internal=True)]),
    ),
    (
        "routed_network",
        lambda **keys: host([container("db", asked=["5432/tcp"])], networks=[network("bridge", options=ROUTED)], **keys),
        declared(),
        ["container db is reached at 172.17.0.", "network bridge is routed", "5432/tcp", "127.0.0.1"],
        host([container("db", asked=["5432/tcp"])]),
    ),
    (
        "ipv6_unfiltered",
        lambda **keys: host([container("db", ipv6="2a00:1450::9")], networks=[SIX], version="26.1.5", rules6={}, **keys),
        declared(),
        ["container db has 2a00:1450::9", "ip6tables", "26.1.5"],
        host([container("db", ipv6="2a00:1450::9")], networks=[SIX], version="26.1.5", rules6=rules("filter", "FORWARD", policy="DROP")),
    ),
    (
        "forward_accept",
        lambda **keys: host([container("db")], version="26.1.5", rules=rules("filter", "FORWARD", "-j DOCKER", policy="ACCEPT"), **keys),
        declared(),
        ["container db can be reached at 172.17.0.", "FORWARD policy is ACCEPT"],
        host([container("db")], version="28.0.0", rules=rules("filter", "FORWARD", "-j DOCKER", policy="ACCEPT")),
    ),
    (
        "loopback_unprotected",
        lambda **keys: host([container("db", port(5432, "127.0.0.1"))], version="26.1.5", **keys),
        declared(),
        ["container db publishes 127.0.0.1:5432", "26.1.5, before 28", "-t raw"],
        host(
            [container("db", port(5432, "127.0.0.1"))],
            version="26.1.5",
            rules=rules("raw", "PREROUTING", "-d 127.0.0.0/8 ! -i lo -j DROP"),
        ),
    ),
    (
        "engine_setting",
        lambda **keys: host(endpoints=[socket(2375, "dockerd", "::")], settings={"hosts": ["tcp://0.0.0.0:2375"]}, **keys),
        declared(),
        ["The engine's API listens on [::]:2375", "root on this host", "over ssh"],
        host(endpoints=[socket(2375, "dockerd", "127.0.0.1")]),
    ),
    (
        "engine_setting",
        lambda **keys: host(settings={"iptables": False}, **keys),
        declared(),
        ['"iptables": false', "daemon.json"],
        host(settings={"iptables": True}),
    ),
    (
        "swarm_mesh",
        lambda **keys: host(mesh=MESH, endpoints=[socket(8080, "dockerd", "::")], **keys),
        declared(),
        ["Swarm's service web is published on 0.0.0.0:8080", "of every node", "--publish-rm 80 web"],
        host(),
    ),
]
# What no firewall of the host changes.
UNBLOCKED = [
    (
        "firewall_gone",
        host(),
        declared(firewall=True),
        ["not in place", "no table inet portside", "run the role firewall"],
        host(firewall=guarded()),
    ),
    (
        "firewall_gone",
        host([container("db")], rules={}),
        declared(),
        ["engine's own rules are gone: in filter FORWARD and in nat PREROUTING", "systemctl restart docker"],
        host([container("db")]),
    ),
    (
        "firewall_ineffective",
        host([container("db", port(5432, "127.0.0.1", 80))], rules=rules("filter", "DOCKER-USER", "-i eth0 -p tcp -m tcp --dport 5432 -j DROP")),
        declared(),
        ["matches nothing", "--dport 5432 -j DROP", "--ctorigdstport 5432"],
        host(
            [container("db", port(5432, "127.0.0.1", 80))],
            rules=rules("filter", "DOCKER-USER", "-i eth0 -p tcp -m conntrack --ctorigdstport 5432 -j DROP", "-j RETURN"),
        ),
    ),
    (
        "firewall_ineffective",
        host(info={"FirewallBackend": {"Driver": "nftables"}}, rules=rules("filter", "DOCKER-USER", "-i eth0 -j DROP")),
        declared(),
        ["The rules in DOCKER-USER (1) do nothing", "nftables"],
        host(info={"FirewallBackend": {"Driver": "nftables"}}),
    ),
    (
        "extra_network",
        host(
            [container("shop-web-1", stack="shop", service="web", networks=("shop_default", "other"))],
            networks=[network("shop_default", internal=True), network("other")],
        ),
        declared(SHOP),
        ["stack shop: service web", "attached to network other", "all internal", "docker network disconnect other shop-web-1"],
        bed(web()),
    ),
    (
        "docker_control",
        host([container("logs", mounts=["/var/run/docker.sock"], privileged=True)]),
        declared(),
        ["container logs can open whatever it likes", "privileged", "/var/run/docker.sock mounted", "waive docker_control"],
        host([container("logs", mounts=["/var/log"])]),
    ),
    (
        "orphan",
        bed(web(), container("shop-old-1", stack="shop", service="old")),
        declared(SHOP),
        ["stack shop: service old: container shop-old-1 runs", "docker rm -f shop-old-1"],
        bed(web(), container("shop-old-run-1", stack="shop", service="old", oneoff=True)),
    ),
    (
        "tunnel",
        host([container("t", image="registry.example.com/cloudflare/cloudflared:2026.8.2@sha256:00")]),
        declared(),
        ["container t is a tunnel (Cloudflare Tunnel)", "declare it"],
        host([container("t", image="nginx")]),
    ),
    (
        "tunnel",
        host([container("traefik", image="traefik:v3"), container("db", proxied=["traefik.http.routers.db.rule"])]),
        declared(),
        ["container db asks a proxy", "traefik.http.routers.db.rule"],
        host([container("db", proxied=["traefik.http.routers.db.rule"])]),
    ),
]


def only(facts, what):
    return [one for one in findings(facts, what) if one["rule"] not in ("missing",)]


def said(found):
    return " ".join([found["what"], found["why"], found["remedy"]])


@pytest.mark.parametrize(("rule", "facts", "what", "words"), [(one[0], one[1](), *one[2:4]) for one in CASES] + [one[:4] for one in UNBLOCKED])
def test_a_host_that_breaks_a_rule_breaks_that_one_alone(rule, facts, what, words):
    found = judge(facts, what)
    told = [one for one in found.violations if one["severity"] != "low"]
    assert [one["rule"] for one in told] == [rule]
    for word in words:
        assert word.lower() in said(told[0]).lower()
    if told[0]["container"]:
        assert told[0]["since"] == SINCE
    for part in ("what", "why", "remedy"):
        text = told[0][part]
        assert text.endswith(".") and ".." not in text and "  " not in text
        # What starts with a name as it is written: of a stack, a container, a process.
        assert part == "what" or text[0] == text[0].upper()


@pytest.mark.parametrize(("rule", "facts", "what"), [(one[0], one[1](), one[2]) for one in CASES] + [one[:3] for one in UNBLOCKED])
def test_what_the_host_waives_is_no_violation(rule, facts, what):
    found = judge(facts, what._replace(waivers=({"rule": rule, "reason": "we know", "stack": ""},)))
    assert not found.violations
    assert {one["rule"] for one in found.waived} == {rule}
    assert found.waived[0]["reason"] == "we know"


# What the firewall makes good for as long as it is in place, so that there is nothing left to tell.
MADE_GOOD = ("ipv6_unfiltered", "forward_accept", "loopback_unprotected")


@pytest.mark.parametrize(("build", "what"), [one[1:3] for one in CASES if one[0] in MADE_GOOD])
def test_what_the_firewall_makes_good_is_not_told(build, what):
    assert judge(build(), what).violations
    found = judge(build(firewall=guarded()), what)
    assert not found.violations and not {one["rule"] for one in found.notices} & set(MADE_GOOD)


@pytest.mark.parametrize(("rule", "build", "what"), [one[:3] for one in CASES if one[0] not in ("own_address", *MADE_GOOD)])
def test_what_the_firewall_drops_is_a_notice(rule, build, what):
    found = judge(build(firewall=guarded()), what)
    assert not found.violations
    assert rule in [one["rule"] for one in found.notices] and all(one["blocked"] or one["rule"] == "missing" for one in found.notices)


def test_no_firewall_drops_what_the_host_does_not_route():
    case = next(one for one in CASES if one[0] == "own_address")
    assert [one["rule"] for one in judge(case[1](firewall=guarded()), case[2]).violations] == ["own_address"]


@pytest.mark.parametrize(("facts", "what"), [(one[4], one[2]) for one in CASES + UNBLOCKED])
def test_a_host_that_keeps_it_is_told_nothing(facts, what):
    assert only(facts, what) == []


def test_every_rule_is_among_them():
    assert {one[0] for one in CASES + UNBLOCKED} | {"missing"} == set(RULES)


def test_a_port_that_the_firewall_lets_through_is_not_blocked():
    facts = host([container("db", port(443))], firewall=guarded(443))
    (found,) = judge(facts, declared()).violations
    assert found["rule"] == "undeclared_port" and "firewall of the collection" not in found["why"]
    dropped = judge(host([container("db", port(444))], firewall=guarded(443)), declared()).notices
    assert "The firewall of the collection drops it, for as long as that is in place." in dropped[0]["why"]


def test_a_stack_waives_for_its_own_services_alone():
    facts = bed(web(mounts=["/var/run/docker.sock"]), container("logs", mounts=["/var/run/docker.sock"]))
    waiver = {"rule": "docker_control", "service": "web", "reason": "ships logs", "stack": "shop"}
    found = judge(facts, declared(SHOP)._replace(waivers=(waiver,)))
    assert [one["container"] for one in found.violations] == ["logs"]
    assert [(one["service"], one["reason"]) for one in found.waived] == [("web", "ships logs")]
    assert len(judge(facts, declared(SHOP)._replace(waivers=(dict(waiver, stack="other"),))).violations) == 2


def test_a_host_waives_by_name():
    facts = host([container("a", port(1)), container("b", port(2))])
    found = judge(facts, declared(waivers=[{"rule": "undeclared_port", "container": "a", "reason": "r"}]))
    assert ([one["container"] for one in found.violations], [one["container"] for one in found.waived]) == (["b"], ["a"])


@pytest.mark.parametrize(
    "one",
    [
        socket(68, "dhclient", protocol="udp"),
        socket(546, "systemd-network", "fe80::1", "udp"),
        socket(5353, "avahi-daemon", protocol="udp"),
        socket(5355, "systemd-resolve", protocol="tcp"),
        socket(123, "ntpd", protocol="udp"),
        socket(323, "chronyd", "127.0.0.1", "udp"),
        socket(22, "ssh.socket", "::"),
        socket(51820, "x", "10.9.0.1", "udp"),
    ],
    ids=lambda one: "{0[owner][process]}-{0[port]}".format(one),
)
def test_what_every_host_has_is_no_alarm(one):
    assert findings(host(endpoints=[one]), declared(trusted_interfaces=("wg0",))) == []


@pytest.mark.parametrize(
    ("one", "severity"),
    [
        (socket(68, "nc", protocol="udp"), "high"),
        (socket(123, "chronyd", protocol="udp"), "high"),
        (socket(5353, "nc", protocol="udp"), "high"),
        (socket(22, "nc"), "high"),
        (socket(53, "dnsmasq", "172.17.0.1", "udp"), "medium"),
        (socket(51820, "kernel", protocol="udp"), "low"),
        (socket(40000, "named", protocol="udp"), "low"),
        (socket(40000, "named"), "high"),
    ],
    ids=lambda one: one if isinstance(one, str) else "{0[owner][process]}-{0[port]}".format(one),
)
def test_what_others_have_there_is(one, severity):
    assert [found["severity"] for found in findings(host(endpoints=[one]), declared())] == [severity]


def test_sshd_elsewhere_is_told_where_it_may_be():
    found = findings(host(endpoints=[socket(2222, "sshd")]), declared())
    assert "ssh_ports are 22" in found[0]["what"]
    assert findings(host(endpoints=[socket(2222, "sshd")]), declared(ssh_ports=(22, 2222))) == []


def test_a_listener_behind_ufw_is_less_sure():
    found = findings(host(endpoints=[socket(9101, "x")], firewall={"ufw": True}), declared())
    assert found[0]["severity"] == "medium" and "ufw is active, but whether its rules let this in was not judged" in found[0]["why"]


def test_a_proxy_that_is_left_over_is_named():
    found = findings(host(endpoints=[socket(8080, "docker-proxy")]), declared())
    assert "No container that runs has this port any more" in found[0]["remedy"]


def test_what_is_declared_and_does_not_listen_is_a_warning():
    services = release("shop", web={"ports": [{"target": 80, "published": "80"}]})
    found = judge(host(), declared(services, open=OPEN))
    assert not found.violations
    assert [one["rule"] for one in found.notices] == ["missing", "missing"]
    assert judge(bed(web(port(80))), declared(services)).notices == []


def test_where_the_firewall_cannot_be_seen_it_is_not_called_gone():
    assert findings(host(firewall={"seen": False}), declared(firewall=True)) == []


def test_a_service_in_the_hosts_network_listens_on_the_port_of_its_container():
    services = release("shop", web={"network_mode": "host", "ports": [{"target": 8000, "published": "80", "host_ip": "0.0.0.0"}]})
    own = container("shop-web-1", stack="shop", service="web", networks=(), network_mode="host")
    assert findings(host([own], [socket(8000, "python3", of=own)]), declared(services)) == []
    assert [one["rule"] for one in findings(host([own], [socket(80, "python3", of=own)]), declared(services))] == ["host_network", "missing"]


def test_the_kernels_own_sockets_are_called_so():
    one = socket(4789, "kernel", protocol="udp")
    one["owner"]["pid"] = 0
    assert findings(host(endpoints=[one]), declared())[0]["what"].startswith("the kernel itself, as for WireGuard or VXLAN, listens on")


_GATEWAY = "com.docker.network.bridge.gateway_mode_"
_TRUSTED = "com.docker.network.bridge.trusted_host_interfaces"


@pytest.mark.parametrize(
    ("options", "settings", "version", "works"),
    [
        ({_GATEWAY + "ipv4": "routed"}, {}, "26.1.5", False),
        ({_GATEWAY + "ipv4": "routed"}, {}, "27.0.1", True),
        ({_GATEWAY + "ipv4": "nat-unprotected"}, {}, "27.5.1", False),
        ({_GATEWAY + "ipv4": "nat-unprotected"}, {}, "28.0.0", True),
        ({_TRUSTED: "eth1"}, {}, "28.1.1", False),
        ({_TRUSTED: "eth1"}, {}, "28.2.0-rc.1", True),
        ({}, {"allow-direct-routing": True}, "28.1.1", False),
        ({}, {"allow-direct-routing": True}, "29.0.0", True),
        ({_GATEWAY + "ipv4": "routed"}, {}, "27", True),
        # What says nothing of its version is taken for the newest.
        ({_TRUSTED: "eth1"}, {}, "dev", True),
    ],
)
def test_an_option_that_the_engine_does_not_know_is_a_notice(options, settings, version, works):
    db = container("db", asked=["5432/tcp"])
    facts = host([db], networks=[network("bridge", options=options, attached=["db"])], version=version, settings=settings)
    judgement = judge(facts, declared())
    assert [one["rule"] for one in judgement.violations] == (["routed_network"] if works else [])
    assert [one["rule"] for one in judgement.notices] == ([] if works or settings else ["routed_network"])
    for one in judgement.notices:
        assert "Network bridge has the option " in one["what"] and "engine {0} does nothing".format(version) in one["what"]
        assert "at their own addresses" in one["why"] and one["severity"] == "low" and not one["container"]
    own = [one["why"] for one in facts["containers"][0]["own_addresses"]]
    assert own == ([options[_GATEWAY + "ipv4"]] if works and _GATEWAY + "ipv4" in options else [])


def test_an_option_that_does_nothing_is_told_of_networks_that_are_used_alone():
    lonely = network("lonely", options={_TRUSTED: "eth1"})
    inside = network("inside", options={_TRUSTED: "eth1"}, internal=True, attached=["db"])
    assert findings(host([container("db")], networks=[lonely, inside], version="28.0.0"), declared()) == []


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"mounts": ["/"]}, "/ mounted"),
        ({"mounts": ["/var/run/"]}, "/var/run/ mounted"),
        ({"mounts": ["/srv/proxy/docker.sock"]}, "/srv/proxy/docker.sock mounted"),
        ({"mounts": ["/var/lib/docker.socket.d", "/runner"]}, ""),
        ({"host_pids": True}, "pid: host"),
        ({"capabilities": ["NET_BIND_SERVICE", "SYS_ADMIN"]}, "capabilities SYS_ADMIN"),
        ({"capabilities": ["NET_ADMIN"]}, ""),
        ({"capabilities": ["NET_ADMIN"], "network_mode": "host"}, "NET_ADMIN in the host's network"),
    ],
)
def test_what_gives_a_container_the_host(keys, told):
    found = findings(host([container("c", **keys)]), declared())
    assert [one["rule"] for one in found] == (["docker_control"] if told else [])
    assert all(told in one["what"] for one in found)


def test_a_declared_tunnel_is_none_that_nobody_explains():
    service = {"image": "cloudflare/cloudflared", "configs": [{"source": "_cloudflared.yml_0123456789ab"}]}
    own = container("shop-tunnel-1", image="cloudflare/cloudflared", stack="shop", service="tunnel", networks=("shop_default",))
    assert only(host([own]), declared(release("shop", tunnel=service))) == []
    assert [one["rule"] for one in only(host([own]), declared(release("shop", tunnel={})))] == ["tunnel"]


addresses = st.sampled_from(["0.0.0.0", "::", "127.0.0.1", "::1", "192.0.2.2", "172.17.0.1", "fe80::1", "2001:db8::5"])
numbers = st.integers(1, 65535)
protocols = st.sampled_from(["tcp", "udp"])
ports = st.builds(port, numbers, addresses, numbers, protocols)
declared_ports = st.builds(
    lambda one, here: {"target": one["target"], "published": str(one["published"]), "protocol": one["protocol"], **({"host_ip": here} if here else {})},
    ports,
    st.sampled_from(["", "127.0.0.1", "0.0.0.0"]),
)


@given(st.lists(ports, max_size=5), st.booleans(), st.lists(numbers, max_size=3), st.booleans())
def test_a_port_that_nobody_declares_is_always_told_of_and_another_never(bound, guard, public, in_stack):
    which = {"stack": "shop", "service": "db", "networks": ("shop_default",)} if in_stack else {}
    facts = host([container("db", *bound, **which)], firewall=guarded(*public) if guard else {})
    judgement = judge(facts, declared(SHOP))
    told = {
        (one["endpoint"]["port"], one["endpoint"]["protocol"]): one
        for one in judgement.violations + judgement.notices
        if one["rule"] == "undeclared_port"
    }
    assert set(told) == {(one["published"], one["protocol"]) for one in bound if not is_loopback(one["address"])}
    for (number, protocol), one in told.items():
        assert one["blocked"] == (guard and not (protocol == "tcp" and number in public))
        assert (one in judgement.notices) == one["blocked"]


@given(st.lists(declared_ports, max_size=4), st.lists(ports, max_size=4))
def test_what_is_declared_public_is_no_violation_and_what_is_for_loopback_never_public(wanted, bound):
    services = release("shop", web={"ports": wanted})
    judgement = judge(bed(web(*bound)), declared(services))
    told = {(one["endpoint"]["port"], one["endpoint"]["protocol"]) for one in judgement.violations if one["endpoint"]}
    for one in bound:
        covering = [
            other for other in wanted if (other["published"], other["protocol"]) == (str(one["published"]), one["protocol"])
        ]
        if is_loopback(one["address"]) or any(other.get("host_ip") != "127.0.0.1" for other in covering):
            expected = any(
                (other["published"], other["protocol"]) == (one["published"], one["protocol"])
                and not is_loopback(other["address"])
                and not any(own.get("host_ip") != "127.0.0.1" for own in covering)
                for other in bound
            )
        else:
            expected = True
        assert ((one["published"], one["protocol"]) in told) == expected


@given(st.lists(st.builds(socket, numbers, st.sampled_from(["sshd", "nc", "dockerd", "nginx", ""]), addresses, protocols), max_size=5))
def test_every_socket_for_others_is_declared_ordinary_or_told_of(bound):
    found = findings(host(endpoints=bound), declared())
    told = {(one["endpoint"]["port"], one["endpoint"]["protocol"]) for one in found}
    for one in bound:
        ordinary = one["owner"]["process"] in ("sshd", "") and (one["port"], one["protocol"]) in ((22, "tcp"), (68, "udp"), (546, "udp"), (5353, "udp"))
        if not is_loopback(one["address"]) and not ordinary:
            assert (one["port"], one["protocol"]) in told


@given(st.sampled_from(CASES), st.text("abcdef", min_size=1, max_size=5))
def test_a_waiver_for_another_name_waives_nothing(case, name):
    facts, waiver = case[1](), {"rule": case[0], "container": "not-" + name, "reason": "r"}
    assert not judge(facts, case[2]._replace(waivers=(dict(waiver, stack=""),))).waived
