# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listens as it is told in JSON, on IPv4 and IPv6, says so in a line, and goes on until its input ends."""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading


def sockets(kind, port):
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        made = socket.socket(family, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
        yield made


def accept(listening, resets):
    while True:
        connection, _address = listening.accept()
        if resets:
            # Without a byte, and not even with a proper end.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def answer(bound, answers):
    while True:
        data, address = bound.recvfrom(2048)
        if answers:
            bound.sendto(data[:1], address)


def main():
    wanted = json.loads(sys.argv[1])
    for kind, work, marked in (("tcp", accept, "resets"), ("udp", answer, "answers")):
        for port in wanted[kind]:
            for made in sockets({"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[kind], port):
                if kind == "tcp":
                    made.listen(16)
                threading.Thread(target=work, args=(made, port in wanted[marked]), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
