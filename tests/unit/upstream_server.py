# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service behind an edge under test: it tells what it was asked, and does as the last part of the path says."""

from __future__ import annotations

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 9001
HERE = os.path.dirname(os.path.abspath(__file__))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        part = self.path.partition("?")[0].rpartition("/")[2]
        if part == "early":
            # Before the body is there.
            with open(os.path.join(HERE, "early"), "w") as stream:
                stream.write(self.path)
        length = self._body()
        own = {"own": {"X-Frame-Options": "ALLOW-FROM x", "Strict-Transport-Security": "max-age=1", "Referrer-Policy": "origin", "X-Mine": "1"}}
        if part == "events":
            self._events()
        elif part == "socket" and self.headers.get("Upgrade") == "websocket":
            self._socket()
        else:
            status = 405 if part == "refusing" else 200
            text = json.dumps({"method": self.command, "target": self.path, "headers": self.headers.items(), "length": length, "filler": "x" * 2000})
            self._send(status, text.encode(), own.get(part, {}))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def _body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            size, length = 1, 0
            while size:
                size = int(self.rfile.readline(), 16)
                length += len(self.rfile.read(size))
                self.rfile.readline()
            return length
        return len(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _send(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _events(self):
        """The second event is sent when somebody has seen the first one."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event(b"data: first\n\n")
        while not os.path.exists(os.path.join(HERE, "seen")):
            time.sleep(0.01)
        self._event(b"data: second\n\n")
        self._event(b"")

    def _event(self, text):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))

    def _socket(self):
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.write(b"hello")
        while True:
            text = self.connection.recv(100)
            if not text:
                break
            self.connection.sendall(text.upper())
        self.close_connection = True

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
