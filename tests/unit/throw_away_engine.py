# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine for containers that run one command: it keeps what they were given, and says what it is told to."""

from __future__ import annotations

import io
import struct
import tarfile
import urllib.parse

from fake_engine import FakeEngine, Handler


class ThrowAwayHandler(Handler):
    def post_containers(self, engine, parts, query, body):
        name = parts[0]
        if parts == ["create"]:
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
            name = query.get("name") or "c{0}".format(len(engine.bodies))
            if name in engine.containers:
                self.answer(409, {"message": "the name is in use"})
                return
            engine.bodies.append(body)
            engine.queries.append(query)
            engine.containers[name] = body
            self.answer(201, {"Id": name})
        elif parts[1] == "start":
            if engine.refusal:
                self.answer(400, {"message": engine.refusal})
            else:
                self.answer(204, b"")
        else:
            assert parts[1] == "wait" and name in engine.containers
            self.answer(200, {"StatusCode": engine.code})

    def put_containers(self, engine, parts, query, body):
        assert parts[1:] == ["archive"] and query == {"path": "/"}
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            members = archive.getmembers()
            engine.files.append({one.name: archive.extractfile(one).read().decode() for one in members if one.isreg()})
            engine.modes = {one.name: one.mode for one in members}
        self.answer(200, b"")

    def get_containers(self, engine, parts, query, body):
        if parts[1:] == ["logs"]:
            data = engine.output.encode()
            self.answer(200, struct.pack(">BxxxL", 2, len(data)) + data)
        elif parts == ["json"]:
            entries = [{"Id": key, "Labels": one.get("Labels"), "Created": one.get("Created", 0)} for key, one in engine.containers.items()]
            self.answer(200, list(self.matching(entries, query)))
        else:
            super().get_containers(engine, parts, query, body)

    def delete_containers(self, engine, parts, query, _body):
        assert query == {"force": "1", "v": "1"}
        self.answer(*(204, b"") if engine.containers.pop(parts[0], None) is not None else (404, {"message": "No such container"}))


class ThrowAwayEngine(FakeEngine):
    def __init__(self, path):
        super().__init__(path)
        self.RequestHandlerClass = ThrowAwayHandler
        self.bodies, self.queries, self.files, self.modes = [], [], [], {}
        self.output, self.code, self.refusal = "", 0, ""
