# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for cAdvisor: the metrics that the alerts go by, as it names and labels them. Its options are taken and not heeded."""

from __future__ import annotations

import http.client
import http.server
import json
import socket
from concurrent.futures import ThreadPoolExecutor

PREFIX = "com.docker.compose."


class Engine(http.client.HTTPConnection):
    """One request to the engine's socket."""

    def __init__(self) -> None:
        super().__init__("localhost", timeout=10)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect("/var/run/docker.sock")


def ask(path: str) -> object:
    """What the engine answers."""
    engine = Engine()
    try:
        engine.request("GET", path)
        return json.loads(engine.getresponse().read())
    finally:
        engine.close()


def lines(container: dict) -> list[str]:
    """The metrics of a container."""
    stats = ask(f"/containers/{container['Id']}/stats?stream=false&one-shot=true")
    limit = ask(f"/containers/{container['Id']}/json")["HostConfig"]["Memory"]
    memory, labels = stats["memory_stats"], container["Labels"]
    about = {"id": f"/docker/{container['Id']}", "image": container["Image"], "name": container["Names"][0].lstrip("/")}
    about |= {f"container_label_com_docker_compose_{key}": labels.get(PREFIX + key, "") for key in ("project", "service")}
    written = ",".join(f'{name}="{value}"' for name, value in about.items())
    inactive = memory.get("stats", {}).get("total_inactive_file", memory.get("stats", {}).get("inactive_file", 0))
    return [
        f"container_memory_working_set_bytes{{{written}}} {max(0, memory.get('usage', 0) - inactive)}",
        f"container_spec_memory_limit_bytes{{{written}}} {limit}",
        f"container_cpu_usage_seconds_total{{{written}}} {stats['cpu_stats']['cpu_usage']['total_usage'] / 1e9}",
    ]


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /metrics and /healthz."""

    def do_GET(self) -> None:
        text = "ok\n"
        if self.path == "/metrics":
            with ThreadPoolExecutor(8) as pool:
                text = "".join(f"{line}\n" for found in pool.map(lines, ask("/containers/json")) for line in found)
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: it is asked every few seconds."""


http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
