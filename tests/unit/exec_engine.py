# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that runs commands in containers: each is what the test makes of it."""

from __future__ import annotations

import contextlib
import struct

from fake_engine import FakeEngine, Handler


class ExecHandler(Handler):
    def post_containers(self, engine, parts, _query, body):
        if parts[1:] != ["exec"] or parts[0] not in engine.containers:
            self.answer(404, {"message": "No such container"})
            return
        engine.commands.append((parts[0], body["Cmd"]))
        self.answer(201, {"Id": "e{0}".format(len(engine.commands))})

    def post_exec(self, engine, parts, _query, _body):
        if engine.refusal:
            self.answer(409, {"message": engine.refusal})
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.docker.raw-stream")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            for text in engine.output:
                self.wfile.write(struct.pack(">BxxxL", 1, len(text)) + text)
            if engine.hangs:
                engine.hangs.wait(20)

    def get_exec(self, engine, parts, _query, _body):
        running = bool(engine.hangs) or engine.still_running > 0
        engine.still_running -= 1
        self.answer(200, {"Running": running, "ExitCode": None if running else engine.code, "Pid": 4711})


class ExecEngine(FakeEngine):
    def __init__(self, path):
        super().__init__(path)
        self.RequestHandlerClass = ExecHandler
        self.commands, self.output, self.code, self.refusal, self.hangs, self.still_running = [], [], 0, "", None, 0
