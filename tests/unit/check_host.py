# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What probes of checks act on: real sockets on loopback, and containers that a test makes up."""

from __future__ import annotations

import contextlib
import os
import socketserver
import subprocess
import threading
import time

from ansible_collections.portside.stack.plugins.module_utils._check_rules import parse
from ansible_collections.portside.stack.plugins.module_utils._external_main import HostNetwork
from ansible_collections.portside.stack.plugins.module_utils._probe_kinds import attempt
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, Ran, World


class Containers:
    """Every service is on this host; a command ends as the test says."""

    def __init__(self, ran=None, inspections=()):
        self.ran, self.inspections, self.commands = ran, inspections, []

    def of(self, _service, _until):
        return list(self.inspections)

    def addresses(self, service, _until):
        if service == "gone":
            raise Objection("service gone has no container")
        return ["127.0.0.1"]

    def execute(self, service, argv, _until):
        self.commands.append((service, argv))
        return Ran(*self.ran)


def world(containers=None, secrets=None, today=time.time):
    return World(HostNetwork(), containers or Containers(), (secrets or {}).__getitem__, os.urandom, today)


def objection(check, on=None, timeout=5.0):
    """What a try of a check objects to; none when it passes."""
    (parsed,) = parse([dict({"name": "one"}, **check)])
    try:
        attempt(parsed, on or world(), timeout)
    except Objection as error:
        return error
    return None


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError, EOFError):
            self.server.talk(self.request)


@contextlib.contextmanager
def serving(talk, tls=None):
    """The port of a server whose part of each connection is ``talk(socket)``."""

    def secured(peer):
        with tls.wrap_socket(peer, server_side=True) as inner:
            talk(inner)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.talk = True, secured if tls else talk
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def certificate(directory, days=2, name="localhost"):
    """A certificate that signs itself, and its key, in one file."""
    path = directory / "{0}-{1}.pem".format(name, days)
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days)]
    words += ["-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name, "-keyout", str(path), "-out", str(path) + ".crt"]
    subprocess.run(words, check=True, capture_output=True)
    with open(path, "ab") as file:
        file.write((directory / (path.name + ".crt")).read_bytes())
    return path
