# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are no more than a network: namespaces of the kernel, joined by cables."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys

import pytest

# Answers on each "ADDRESS PORT PROTOCOL" of its arguments.
SERVER = """
import selectors, socket, sys
chosen = selectors.DefaultSelector()
for word in sys.argv[1:]:
    address, port, protocol = word.split(",")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    one.bind((address, int(port)))
    if protocol == "tcp":
        one.listen()
    chosen.register(one, selectors.EVENT_READ, protocol)
print("up", flush=True)
while True:
    for key, _events in chosen.select():
        if key.data == "tcp":
            client = key.fileobj.accept()[0]
            client.sendall(b"served")
            chosen.register(client, selectors.EVENT_READ, "client")
        elif key.data == "client":
            said = key.fileobj.recv(99)
            key.fileobj.sendall(said)
            if not said:
                chosen.unregister(key.fileobj)
                key.fileobj.close()
        else:
            key.fileobj.sendto(b"served", key.fileobj.recvfrom(99)[1])
"""
CLIENT = """
import socket, sys
address, port, protocol = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
one = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
one.settimeout(0.7)
try:
    one.connect((address, int(port)))
    if protocol == "udp":
        one.send(b"there?")
    print(one.recv(99).decode())
except OSError as error:
    print(error)
"""

# Stays connected to an address and port, and says what comes back of what it is told.
TALK = """
import socket, sys
one = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)
print(one.recv(99).decode(), flush=True)
for line in sys.stdin:
    one.sendall(line.encode())
    print(one.recv(99).decode(), end="", flush=True)
"""
PING = """
import socket, sys
family, protocol, kind = (socket.AF_INET6, 58, 128) if ":" in sys.argv[1] else (socket.AF_INET, 1, 8)
one = socket.socket(family, socket.SOCK_DGRAM, protocol)
one.settimeout(0.7)
one.sendto(bytes([kind, 0, 0, 0, 0, 0, 0, 1]), (sys.argv[1], 0))
print(one.recv(99)[-1])
"""


def possible() -> bool:
    """Whether this machine can make them."""
    if os.geteuid() or not shutil.which("nft") or not shutil.which("ip"):
        return False
    # Each worker of the tests asks, at the same moment.
    name = "expod-probe-{0}".format(os.getpid())
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode == 0
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return made


needed = pytest.mark.skipif(not possible(), reason="needs root, nftables and network namespaces")


class Network:
    """Hosts by name, each with cables to others."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack

    def host(self, name: str) -> None:
        _run("ip", "netns", "add", "expod-" + name)
        self._stack.callback(_run, "ip", "netns", "del", "expod-" + name)
        self.on(name, "ip", "link", "set", "lo", "up")
        self.on(name, "sysctl", "-q", "-w", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")

    def cable(self, one: str, at: str, other: str, other_at: str) -> None:
        """Join two hosts at interfaces of these names."""
        _run("ip", "link", "add", at, "netns", "expod-" + one, "type", "veth", "peer", "name", other_at, "netns", "expod-" + other)
        self.on(one, "ip", "link", "set", at, "up")
        self.on(other, "ip", "link", "set", other_at, "up")

    def address(self, name: str, interface: str, *addresses: str) -> None:
        for address in addresses:
            self.on(name, "ip", "address", "add", address, "dev", interface)

    def on(self, name: str, *argv: str, text: str = "") -> str:
        return _run("ip", "netns", "exec", "expod-" + name, *argv, text=text)

    def run(self, name: str):
        """What runs commands on a host, as logic is handed it."""

        def run(argv, data):
            command = ["ip", "netns", "exec", "expod-" + name, *argv]
            done = subprocess.run(command, input=data or "", capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, done.stderr

        return run

    def serve(self, name: str, *sockets: str) -> None:
        """Answer on sockets, each ADDRESS,PORT,PROTOCOL."""
        command = ["ip", "netns", "exec", "expod-" + name, sys.executable, "-c", SERVER, *sockets]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._stack.callback(server.wait)
        self._stack.callback(server.kill)
        assert server.stdout.readline() == "up\n"

    def talk(self, name: str, address: str, port: int) -> subprocess.Popen:
        """A connection that stays: what is written to it comes back."""
        command = ["ip", "netns", "exec", "expod-" + name, sys.executable, "-c", TALK, address, str(port)]
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._stack.callback(client.wait)
        self._stack.callback(client.kill)
        assert client.stdout.readline() == "served\n"
        return client

    def pings(self, name: str, address: str) -> bool:
        self.on(name, "sysctl", "-q", "-w", "net.ipv4.ping_group_range=0 0")
        return self.on(name, sys.executable, "-c", PING, address) == "1\n"

    def reaches(self, name: str, address: str, port: int, protocol: str = "tcp") -> bool:
        return self.on(name, sys.executable, "-c", CLIENT, address, str(port), protocol) == "served\n"


def _run(*argv: str, text: str = "") -> str:
    done = subprocess.run(argv, input=text, capture_output=True, text=True)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout
