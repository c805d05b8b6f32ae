# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a private service becomes public, as data: how each is set up for real, and what has to be said of it.

The numbers are those of "Which layer catches what" in docs/exposure.md.
"""

from __future__ import annotations

import dataclasses
import typing as t

APP = "registry.test:5000/portside/edge-app:1.0.0"
RUN = "docker run --detach --stop-timeout 0 --env PORTS=5432"
BY_HAND = f"{RUN} --name forgotten --publish 5432:5432 {APP}"


@dataclasses.dataclass(frozen=True)
class Way:
    """One way, or one form of it. {address} and {address6} stand for the host's."""

    number: int
    name: str
    # Shell of root on the host; tests/exposure/judged.py has its functions.
    up: str = ""
    down: str = ""
    # A Compose file that somebody has on the host, beside the stacks: project `other`.
    compose: dict = dataclasses.field(default_factory=dict)
    # What says so before anything runs, and its words: `published_ports` (public, or refused with these words) or `stack_problems`.
    judge: str = ""
    refused: tuple[str, ...] = ()
    # The rules of port_exposure_info that are broken, all of them, and words of what each says.
    host: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    # Words of what port_probe says, when it is asked as verify.yml asks it; none where it sees nothing.
    outside: tuple[str, ...] = ()
    # Ports that have to be named to it, as nothing on the host has them.
    named: tuple[int, ...] = ()
    # What a neighbour of the host gets an answer from by this way alone, with the routes that it takes.
    neighbour: str = ""
    # With the collection's firewall it is a notice in place of a violation, and not reachable.
    blocked: bool = False


@dataclasses.dataclass(frozen=True)
class NotHere:
    """One that cannot be set up on these hosts, and why. tests/unit/test_exposure_ways.py makes up its facts."""

    number: int
    name: str
    why: str


def _db(networks: dict | None = None, /, **keys) -> dict:
    """A Compose file with a service `db` that listens on 5432."""
    service = {"image": APP, "environment": {"PORTS": "5432"}, "stop_grace_period": "0s", **keys}
    return {"services": {"db": service}, **({"networks": networks} if networks else {})}


_OTHER = "stack other: service db: container other-db-1"
_OUTSIDE_DB = ("tcp {address}:5432: " + _OTHER, "tcp [{address6}]:5432: " + _OTHER)

WAYS = [
    Way(
        1,
        "ports without an address",
        compose=_db(ports=["5432:5432"]),
        judge="published_ports",
        host={"undeclared_port": (_OTHER, "0.0.0.0:5432", "[::]:5432", "Compose project other")},
        outside=_OUTSIDE_DB,
        blocked=True,
    ),
    Way(
        2,
        "an address that is not loopback: all of one family, a bridge's, the host's",
        compose=_db(ports=["0.0.0.0:5432:5432", "[::]:5433:5432", "172.16.0.1:5434:5432", "{address}:5435:5432"]),
        judge="published_ports",
        host={"undeclared_port": (_OTHER, "0.0.0.0:5432", "[::]:5433", "172.16.0.1:5434", "{address}:5435")},
        outside=("{address}:5432: " + _OTHER, "[{address6}]:5433: " + _OTHER, "{address}:5435: " + _OTHER),
        blocked=True,
    ),
    Way(
        3,
        "a port that the engine picks",
        compose=_db(ports=["5432"]),
        judge="published_ports",
        host={"undeclared_port": (_OTHER, "0.0.0.0:", "port 5432 in the container")},
        outside=(_OTHER,),
        blocked=True,
    ),
    Way(
        4,
        "a variable that is not set, in the place of the address",
        compose=_db(ports=["${BIND}:5432:5432"]),
        judge="published_ports",
        refused=("${BIND}",),
        host={"undeclared_port": (_OTHER, "0.0.0.0:5432")},
        outside=_OUTSIDE_DB,
    ),
    Way(
        5,
        "an override file on the host",
        up="""
            cd /opt/stacks/shop/current
            echo '{"services": {"api": {"ports": ["8002:8001"]}}}' >/root/override.yaml
            docker compose --project-name shop --file compose.yaml --file /root/override.yaml up --detach --no-deps --wait api
        """,
        down="cd /opt/stacks/shop/current && docker compose --project-name shop --file compose.yaml up --detach --no-deps --wait api",
        host={"undeclared_port": ("stack shop: service api", "container shop-api-1", "0.0.0.0:8002", "exposure.api: public")},
        outside=("tcp {address}:8002: stack shop: service api", "tcp [{address6}]:8002: stack shop: service api"),
        blocked=True,
    ),
    Way(
        5,
        "an override file that changes the address of a port",
        up="""
            cd /opt/stacks/shop/current
            echo 'services: {api: {ports: !override ["8001:8001"]}}' >/root/override.yaml
            docker compose --project-name shop --file compose.yaml --file /root/override.yaml up --detach --no-deps --wait api
        """,
        down="cd /opt/stacks/shop/current && docker compose --project-name shop --file compose.yaml up --detach --no-deps --wait api",
        host={"wider_than_declared": ("stack shop: service api", "0.0.0.0:8001", "declared for loopback")},
        outside=("tcp {address}:8001: stack shop: service api", "tcp [{address6}]:8001: stack shop: service api"),
        blocked=True,
    ),
    Way(
        6,
        "22:22 without quotes, which YAML 1.1 reads as 1342",
        compose=_db(ports=[1342]),
        judge="published_ports",
        refused=("1342",),
        host={"undeclared_port": (_OTHER, "port 1342 in the container")},
        # The engine's proxy accepts whether or not anybody listens in the container.
        outside=(_OTHER,),
    ),
    Way(
        7,
        "network_mode: host",
        compose=_db(network_mode="host"),
        judge="stack_problems",
        refused=("network_mode", "host"),
        host={"host_network": (_OTHER, "0.0.0.0:5432")},
        outside=("tcp {address}:5432: " + _OTHER,),
        blocked=True,
    ),
    Way(
        8,
        "network_mode: container:x, where x publishes",
        compose=_db(network_mode="container:shop-web-1"),
        judge="stack_problems",
        refused=("network_mode", "a container outside the stack"),
        host={"shared_network": (_OTHER, "container shop-web-1", "0.0.0.0:80")},
    ),
    Way(
        9,
        "macvlan: an address of its own, whatever ports say",
        compose=_db(
            {"lan": {"driver": "macvlan", "driver_opts": {"parent": "eth0"}, "ipam": {"config": [{"subnet": "172.18.0.0/16", "ip_range": "172.18.77.0/24"}]}}},
            networks={"lan": {"ipv4_address": "172.18.77.7"}},
            ports=["127.0.0.1:5432:5432"],
        ),
        judge="published_ports",
        host={"own_address": (_OTHER, "172.18.77.7", "macvlan network other_lan")},
        neighbour="http://172.18.77.7:5432",
    ),
    Way(
        11,
        "a network with IPv6 on an engine without rules for it",
        compose=_db({"six": {"enable_ipv6": True, "ipam": {"config": [{"subnet": "fd00:9::/64"}]}}}, networks={"six": {"ipv6_address": "fd00:9::77"}}),
        up="sysctl -q net.ipv6.conf.all.forwarding=1",
        down="sysctl -q net.ipv6.conf.all.forwarding=0",
        host={"ipv6_unfiltered": (_OTHER, "fd00:9::77", "network other_six")},
        neighbour="http://[fd00:9::77]:5432",
    ),
    Way(
        12,
        "FORWARD accepts, on an engine before 28",
        up="iptables -P FORWARD ACCEPT",
        down="iptables -P FORWARD DROP",
        host={"forward_accept": ("stack shop: service shipper", "stack shop: service web", "stack shop: service api")},
        neighbour="http://{shipper}:8000",
    ),
    Way(
        13,
        "a port on loopback, on an engine before 28",
        up="iptables -t raw -D PREROUTING ! -i lo -d 127.0.0.0/8 -j DROP",
        down="iptables -t raw -I PREROUTING ! -i lo -d 127.0.0.0/8 -j DROP",
        host={"loopback_unprotected": ("stack shop: service api", "127.0.0.1:8001", "neighbours")},
        neighbour="http://127.0.0.1:8001",
    ),
    Way(
        14,
        "the engine with iptables: false",
        up="engine iptables=False",
        down="engine",
        host={"engine_setting": ('"iptables": false',)},
    ),
    Way(
        14,
        "the engine with DOCKER_INSECURE_NO_IPTABLES_RAW",
        up="""
            mkdir -p /etc/systemd/system/docker.service.d
            printf '[Service]\\nEnvironment=DOCKER_INSECURE_NO_IPTABLES_RAW=1\\n' >/etc/systemd/system/docker.service.d/raw.conf
            engine
        """,
        down="rm /etc/systemd/system/docker.service.d/raw.conf; engine",
        host={"engine_setting": ("DOCKER_INSECURE_NO_IPTABLES_RAW",)},
    ),
    Way(
        15,
        "somebody flushes the rules",
        up="iptables -F; iptables -t nat -F",
        down="engine",
        host={"firewall_gone": ("The engine's own rules are gone", "FORWARD", "PREROUTING")},
    ),
    Way(
        16,
        "DOCKER-USER by the port of the host, and over IPv4 alone",
        up="iptables -I DOCKER-USER -p tcp --dport 80 -j DROP",
        down="iptables -D DOCKER-USER -p tcp --dport 80 -j DROP",
        host={"firewall_ineffective": ("--dport 80", "matches nothing", "over IPv4 alone", "[::]:80")},
    ),
    Way(
        18,
        "a port of a service of Swarm, asked for on loopback",
        up=f"""
            engine live-restore=False
            docker swarm init --advertise-addr 127.0.0.1
            printf 'services: {{db: {{image: "{APP}", ports: ["127.0.0.1:5432:8000"]}}}}' | docker stack deploy --detach --compose-file - mesh
            sleep 5
        """,
        # A network of the swarm that is still in use when it is left keeps its socket for VXLAN.
        down="""
            docker stack rm mesh
            docker swarm leave --force
            docker network rm docker_gwbridge
            for space in /run/docker/netns/1-*; do umount $space; rm $space; done
            engine
        """,
        host={
            "swarm_mesh": ("mesh_db", "0.0.0.0:5432"),
            # Of the swarm itself.
            "undeclared_listener": ("dockerd", ":2377", ":7946"),
        },
        outside=("tcp {address}:2377: process dockerd", "tcp {address}:7946: process dockerd"),
    ),
    Way(
        19,
        "docker network connect",
        # An engine that was restarted beneath a container has forgotten the names of its interfaces.
        up="docker restart --time 0 shop-db-1; docker network connect bridge shop-db-1",
        down="docker network disconnect bridge shop-db-1",
        host={"extra_network": ("stack shop: service db", "container shop-db-1", "network bridge", "all internal")},
    ),
    Way(
        20,
        "docker run by hand",
        up=BY_HAND,
        down="docker rm --force forgotten",
        host={"undeclared_port": ("container forgotten", "0.0.0.0:5432", "[::]:5432", "outside of the stacks")},
        outside=("tcp {address}:5432: container forgotten", "tcp [{address6}]:5432: container forgotten"),
        blocked=True,
    ),
    Way(
        21,
        "a tunnel in a container",
        up="docker run --detach --stop-timeout 0 --name burrow --entrypoint sleep cloudflare/cloudflared:2026.8.2 infinity",
        down="docker rm --force burrow",
        host={"tunnel": ("container burrow", "Cloudflare Tunnel")},
    ),
    Way(
        21,
        "a tunnel as a program of the host",
        up="cp /usr/bin/sleep /usr/local/bin/ngrok; systemd-run --quiet --unit way /usr/local/bin/ngrok infinity",
        down="systemctl stop way; rm /usr/local/bin/ngrok",
        host={"tunnel": ("process ngrok", "that nothing declares")},
    ),
    Way(
        21,
        "labels that a proxy reads",
        up=f"""
            docker tag {APP} traefik:3
            {RUN} --name proxy traefik:3
            {RUN} --name led --label 'traefik.http.routers.led.rule=Host(`led.test`)' {APP}
        """,
        down="docker rm --force proxy led; docker rmi traefik:3",
        host={"tunnel": ("container led", "traefik.http.routers.led.rule", "container proxy")},
    ),
    Way(
        22,
        "a program of the host: sshd on another port",
        up="/usr/sbin/sshd -p 2222 -o PidFile=/run/way.pid; sleep 0.5",
        down="kill $(cat /run/way.pid); sleep 0.5",
        host={"undeclared_listener": ("process sshd", "0.0.0.0:2222", "[::]:2222", "ssh_ports are 22")},
        outside=("tcp {address}:2222: process sshd", "tcp [{address6}]:2222: process sshd"),
        blocked=True,
    ),
    Way(
        22,
        "a program of the host: a socket of systemd",
        up="systemd-run --quiet --unit way --socket-property=ListenStream=0.0.0.0:9100 --socket-property=Accept=no /bin/sleep infinity",
        down="systemctl stop way.socket way.service || true",
        host={"undeclared_listener": ("way.socket", "0.0.0.0:9100")},
        outside=("tcp {address}:9100: ",),
        blocked=True,
    ),
    Way(
        22,
        "the engine's API on the network",
        up="printf 'DOCKER_OPTS=\"-H tcp://0.0.0.0:2375\"\\n' >>/etc/default/docker; engine",
        down="sed -i '/2375/d' /etc/default/docker; engine",
        host={"engine_setting": ("The engine's API listens on ", ":2375", "without a password")},
        outside=("tcp {address}:2375: process dockerd", "tcp [{address6}]:2375: process dockerd"),
        blocked=True,
    ),
    Way(
        23,
        "docker.sock in a container",
        compose=_db(volumes=["/var/run/docker.sock:/var/run/docker.sock:ro"]),
        judge="stack_problems",
        refused=("/var/run/docker.sock", "rule docker_socket"),
        host={"docker_control": (_OTHER, "/var/run/docker.sock")},
    ),
    Way(
        24,
        "NAT that others do: here a rule by hand, in the place of a router's",
        up="iptables -t nat -I PREROUTING -p tcp --dport 5432 -j DNAT --to {shipper}:8000; iptables -I FORWARD -d {shipper} -j ACCEPT",
        down="iptables -t nat -D PREROUTING -p tcp --dport 5432 -j DNAT --to {shipper}:8000; iptables -D FORWARD -d {shipper} -j ACCEPT",
        outside=("tcp {address}:5432: named by hand",),
        named=(5432,),
    ),
    Way(
        25,
        "what is left over of an earlier file",
        up=f"""
            echo '{{"services": {{"old": {{"image": "{APP}", "network_mode": "bridge", "ports": ["5432:8000"]}}}}}}' >/root/old.yaml
            docker compose --project-name shop --file /root/old.yaml up --detach
        """,
        down="docker rm --force shop-old-1",
        host={
            "orphan": ("stack shop: service old", "container shop-old-1", "no service old"),
            "undeclared_port": ("stack shop: service old", "0.0.0.0:5432"),
        },
        outside=("tcp {address}:5432: stack shop: service old", "tcp [{address6}]:5432: stack shop: service old"),
        blocked=True,
    ),
]

NOT_HERE = [
    NotHere(9, "ipvlan", "the kernel here has no such device"),
    NotHere(10, "gateway_mode routed", "from engine 27 on; here is 26, which ignores it"),
    NotHere(10, "gateway_mode nat-unprotected", "from engine 28 on"),
    NotHere(10, "trusted_host_interfaces", "from engine 28.2 on"),
    NotHere(14, "allow-direct-routing", "from engine 28.2 on; 26 does not start with it"),
    NotHere(14, "ip6tables: false", "is what 26 has by itself: way 11"),
    NotHere(17, "the engine's nftables backend", "from engine 29 on"),
    NotHere(18, "Swarm's mesh on the other nodes", "needs a second node, and IPVS in the kernel"),
    NotHere(21, "a tunnel whose routes are at its provider", "needs an account there"),
]
