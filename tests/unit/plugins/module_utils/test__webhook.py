# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import http.server
import json
import socket
import threading

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _webhook
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._webhook import check_webhook, post, read_webhook


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def receiver():
    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    server.got, server.status = [], 204
    server.url = "http://127.0.0.1:{0}/hook/secret?key=other".format(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_sent_as_json(receiver):
    post(receiver.url, {"host": "web1"})
    assert receiver.got == [("/hook/secret?key=other", "application/json", {"host": "web1"})]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_another_answer_is_an_error_that_tells_nothing_of_the_path(receiver, status):
    receiver.status = status
    with pytest.raises(StackError) as caught:
        post(receiver.url, {})
    assert str(caught.value) == "the webhook at 127.0.0.1 answered {0}".format(status)


@pytest.mark.parametrize(
    "url, why",
    [
        ("http://127.0.0.1:1/secret", "Connection refused"),
        ("http://no.such.invalid/secret", "not reached"),
        ("http://127.0.0.1:99999/secret", "ValueError"),
        ("http://127.0.0.1:1/se cret", "InvalidURL"),
    ],
)
def test_one_that_is_not_there_is_an_error(url, why):
    with pytest.raises(StackError, match=why) as caught:
        post(url, {})
    assert "cret" not in str(caught.value)


def test_one_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(_webhook, "_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(StackError, match="not reached"):
            post("http://127.0.0.1:{0}/secret".format(silent.getsockname()[1]), {})


def test_a_certificate_is_verified_and_what_is_no_tls_is_told(receiver):
    with pytest.raises(StackError, match="not reached: .*SSL"):
        post(receiver.url.replace("http:", "https:"), {})


@pytest.mark.parametrize("url", ["https://hooks.example.com/services/T0/b?x=y", "http://10.0.0.5:8080", "https://[2001:db8::1]:8443/x"])
def test_urls_are_taken(url):
    check_webhook(url)


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com/secret",
        "ftp://x/secret",
        "https:///secret",
        "https://me:secret@x/",
        "https://x/se cret",
        "https://x/secret\n",
        "https://x/ö-secret",
        "https://x/#secret",
    ],
)
def test_others_are_refused_and_not_shown(url):
    with pytest.raises(StackError, match="firewall_watch_webhook is not a URL of a webhook.*Remedy") as caught:
        check_webhook(url)
    assert url not in str(caught.value)


def test_the_host_s_own_is_read(tmp_path):
    assert read_webhook(FileSystem(), str(tmp_path)) == ""
    path = tmp_path / "etc/portside/webhook"
    path.parent.mkdir(parents=True)
    path.write_text('"https://x/secret"')
    assert read_webhook(FileSystem(), str(tmp_path)) == "https://x/secret"
    for text in ("secret", '["secret"]', '"secret"'):
        path.write_text(text)
        with pytest.raises(StackError, match="is not what the role firewall writes") as caught:
            read_webhook(FileSystem(), str(tmp_path))
        assert "secret" not in str(caught.value)
