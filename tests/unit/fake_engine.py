# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of the Docker Engine's API, on a real unix socket, as the collection asks for."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import socketserver
import struct
import threading
import urllib.parse


class FakeEngine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path):
        self.path = str(path)
        self.requests, self.made = [], 0
        self.containers, self.networks, self.volumes, self.images = {}, {}, {}, {}
        self.api = ("1.24", "1.45")
        self.logs = b""
        self.memory = 4096
        # Where volumes are, if anybody is to look into them, and how large they are.
        self.volume_root, self.sizes = None, {}
        # How many more requests are not answered, as by an engine that is just being started.
        self.away, self.connections = 0, set()
        super().__init__(self.path, Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.shutdown()
        self.server_close()

    def restart(self, unanswered=0):
        """End all connections, as the end of the engine's process does."""
        self.away = unanswered
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def add(self, service, digest, project="demo", state="running", image="example/app:1", **keys):
        """A container as Compose makes it."""
        self.made += 1
        identifier = "{0}-{1}".format(service, self.made)
        labels = {
            "com.docker.compose.project": project,
            "com.docker.compose.service": service,
            "com.docker.compose.container-number": "1",
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.config-hash": "0" * 64,
            "portside.digest": digest,
        }
        self.containers[identifier] = {
            "Id": identifier,
            "Name": "/{0}-{1}-1".format(project, service),
            "Image": "sha256:" + image,
            "RestartCount": 0,
            "Config": {"Image": image, "Labels": dict(labels, **keys.pop("labels", {}))},
            "State": dict(
                {"Status": state, "ExitCode": 0, "StartedAt": "2020-01-01T00:00:00Z", "FinishedAt": "then"},
                **keys.pop("status", {}),
            ),
            "HostConfig": {},
            "NetworkSettings": {
                "Networks": {
                    name: {"NetworkID": "id-" + name} for name in self.networks if name.startswith(project + "_")
                }
            },
            "Mounts": [],
            "Ports": keys.pop("ports", []),
        }
        return identifier


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self):
        self.server.connections.discard(self.connection)
        super().finish()

    def address_string(self):
        return "unix"

    def log_message(self, *_args):
        pass

    def answer(self, status, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if data:
            self.wfile.write(data)

    def handle_request(self):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = [urllib.parse.unquote(part) for part in url.path.split("/") if part]
        version = parts.pop(0) if parts[0][:2] == "v1" else ""
        engine = self.server
        if engine.away:
            engine.away -= 1
            self.close_connection = True
            return
        engine.requests.append("{0} {1} {2}".format(self.command, version, "/".join(parts)))
        method = getattr(self, "{0}_{1}".format(self.command.lower(), parts[0]))
        archive = self.headers.get("Content-Type") == "application/x-tar"
        method(engine, parts[1:], query, body if archive else json.loads(body) if body else None)

    do_GET = do_POST = do_PUT = do_DELETE = handle_request

    def get__ping(self, *_):
        self.answer(200, b"OK")

    def get_version(self, engine, *_):
        self.answer(200, {"Version": "26.1.5", "MinAPIVersion": engine.api[0], "ApiVersion": engine.api[1], "Arch": "amd64"})

    def get_info(self, engine, *_):
        self.answer(200, {"Architecture": "aarch64", "NCPU": 2, "MemTotal": engine.memory, "ContainersRunning": 3})

    def matching(self, found, query):
        wanted = json.loads(query.get("filters", "{}")).get("label", [])
        for entry in found:
            labels = entry.get("Labels") or {}
            if all(labels.get(label.partition("=")[0]) == label.partition("=")[2] for label in wanted):
                yield entry

    def get_containers(self, engine, parts, query, _body):
        if parts == ["json"]:
            entries = (
                {"Id": key, "Names": [one["Name"]], "Labels": one["Config"]["Labels"], "Ports": one["Ports"]}
                for key, one in list(engine.containers.items())
                if query["all"] == "1" or one["State"]["Status"] == "running"
            )
            self.answer(200, list(self.matching(entries, query)))
        elif parts[1] == "logs":
            self.answer(200, struct.pack(">BxxxL", 1, len(engine.logs)) + engine.logs)
        elif parts[0] in engine.containers:
            self.answer(200, engine.containers[parts[0]])
        else:
            self.answer(404, {"message": "No such container"})

    def post_containers(self, engine, parts, _query, _body):
        engine.containers[parts[0]]["State"]["Status"] = "exited" if parts[1] == "stop" else "running"
        self.answer(204, b"")

    def delete_containers(self, engine, parts, _query, _body):
        del engine.containers[parts[0]]
        self.answer(204, b"")

    def get_networks(self, engine, parts, query, _body):
        found = [dict(one, Id="id-" + name, Name=name) for name, one in engine.networks.items()]
        if parts:
            self.answer(200, next(one for one in found if one["Id"] == parts[0]))
        else:
            self.answer(200, list(self.matching(found, query)))

    def post_networks(self, engine, _parts, _query, body):
        engine.networks[body["Name"]] = body
        self.answer(201, {"Id": "id-" + body["Name"]})

    def delete_networks(self, engine, parts, _query, _body):
        if engine.networks[parts[0][3:]].get("Containers"):
            self.answer(403, {"message": "network has active endpoints"})
        else:
            del engine.networks[parts[0][3:]]
            self.answer(204, b"")

    def get_volumes(self, engine, parts, *_):
        found = {name: dict(one, Name=name) for name, one in engine.volumes.items()}
        if parts:
            self.answer(*(200, found[parts[0]]) if parts[0] in found else (404, {"message": "no such volume"}))
        else:
            self.answer(200, {"Volumes": list(found.values()) or None})

    def post_volumes(self, engine, _parts, _query, body):
        engine.volumes[body["Name"]] = body
        if engine.volume_root:
            body["Mountpoint"] = str(engine.volume_root / body["Name"] / "_data")
            (engine.volume_root / body["Name"] / "_data").mkdir(parents=True)
        self.answer(201, body)

    def delete_volumes(self, engine, parts, _query, _body):
        mounted = [mount.get("Name") for one in engine.containers.values() for mount in one["Mounts"]]
        if parts[0] in mounted:
            self.answer(409, {"message": "volume is in use"})
        else:
            del engine.volumes[parts[0]]
            self.answer(204, b"")

    def get_system(self, engine, _parts, _query, _body):
        sizes = [{"Name": name, "UsageData": {"Size": engine.sizes.get(name, -1)}} for name in engine.volumes]
        self.answer(200, {"Volumes": sizes})

    def get_images(self, engine, parts, _query, _body):
        reference = "/".join(parts[:-1])
        if reference in engine.images:
            found = engine.images[reference]
            self.answer(200, found if isinstance(found, dict) else {"Id": found})
        else:
            self.answer(404, {"message": "No such image"})

    def post_images(self, engine, parts, query, _body):
        engine.images["{0[repo]}:{0[tag]}".format(query)] = parts[0]
        self.answer(201, b"")
