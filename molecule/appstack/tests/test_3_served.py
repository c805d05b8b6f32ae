"""The routes of the one entry point, and that all parts of the stack work for a user."""

from __future__ import annotations

import json

import pytest
from system3 import eventually

PAGE = "<title>appstack</title>"


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("/", "text/html", PAGE),
        ("/onboarding", "text/html", PAGE),
        ("/@vite/client", "text/html", PAGE),
        ("/api/v1/health/", "application/json", '"database": "ok", "redis": "ok"'),
        ("/api/v1/config/frontend/", "application/json", '"api": "/api/v1/"'),
        ("/admin/login/", "text/html", "Django administration"),
        ("/static/admin/css/base.css", "text/css", "DJANGO Admin styles"),
        ("/health", "text/plain", "ok"),
    ],
)
def test_each_path_is_answered_by_its_service(stack, path, kind, said):
    answer = stack.ask(path)
    assert answer.status == 200
    assert answer.all("Content-Type")[0].startswith(kind) and said in answer.body.decode()


def test_what_the_page_asks_for_is_there(stack):
    page = stack.ask("/").body.decode()
    script = page.split('src="')[1].split('"')[0]
    answer = stack.ask(script)
    assert answer.status == 200 and b"/api/v1/config/frontend/" in answer.body


def test_media_are_those_of_the_volume(stack):
    stack.sh("docker exec appstack-backend-1 sh -c 'echo a photograph >/app/media/photo.txt'")
    assert stack.ask("/media/photo.txt").body == b"a photograph\n"


def test_a_websocket_is_the_frontends(stack):
    socket = stack.web.websocket("http://127.0.0.1/ws")
    try:
        assert json.loads(socket.next()) == {"service": "frontend"}
        socket.send("hello")
        assert socket.next() == "hello"
    finally:
        socket.close()


def test_what_is_posted_has_been_through_the_database_the_queue_and_the_worker(stack):
    answer = stack.ask("/api/v1/entries/", "POST", {"text": "hello"})
    assert answer.status == 201, answer
    number = json.loads(answer.body)["id"]
    eventually("shouted", lambda: json.loads(stack.ask(f"/api/v1/entries/{number}/").body)["shouted"] == "HELLO", 20)
