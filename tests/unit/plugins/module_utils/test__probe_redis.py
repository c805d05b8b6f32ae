# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers were seen from Redis 7 and 8."""

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._probe_redis import ask
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection
from check_host import objection, serving, world
from hypothesis import given
from hypothesis import strategies as st


class Redis:
    """As much of the server's side as is asked: a password, a list per database, and what it is told to say."""

    def __init__(self, password="", lengths=None, says=None):
        self.password, self.lengths, self.says, self.seen = password, lengths or {}, says or {}, []

    def __call__(self, peer):
        file, self.let_in, self.database = peer.makefile("rb"), not self.password, 0
        while True:
            head = file.readline()
            if not head:
                return
            words = []
            for _index in range(int(head[1:])):
                words.append(file.read(int(file.readline()[1:]) + 2)[:-2].decode())
            self.seen.append(words)
            peer.sendall(self.answer(*words) + b"\r\n")

    def answer(self, name, *words):
        if name in self.says:
            return self.says[name]
        if name == "AUTH":
            if not self.password:
                return b"-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"
            self.let_in = words == (self.password,)
            return b"+OK" if self.let_in else b"-WRONGPASS invalid username-password pair or user is disabled."
        if not self.let_in:
            return b"-NOAUTH Authentication required."
        if name == "SELECT":
            self.database = int(words[0])
            return b"+OK"
        return b"+PONG" if name == "PING" else b":%d" % self.lengths.get((self.database, words[0]), 0)


SECRETS = world(secrets={"pw": "hunter2", "wrong": "hunter3"})


def tried(redis, check):
    with serving(redis) as port:
        place = "redis:%d" % port
        asks = {"redis": place} if "queue" not in check else {"queue": dict(check["queue"], redis=place)}
        return objection({**check, **asks}, SECRETS)


@pytest.mark.parametrize(
    ("redis", "check", "said"),
    [
        (Redis(), {}, None),
        (Redis("hunter2"), {"password_secret": "pw"}, None),
        (Redis("hunter2"), {"password_secret": "wrong"}, "it does not take the password"),
        (Redis("hunter2"), {}, "it asks for a password"),
        (Redis(), {"password_secret": "pw"}, "it has no password, but the check gives one"),
        (Redis(says={"PING": b"-LOADING Redis is loading the dataset in memory"}), {}, "it still reads its data"),
        (Redis(says={"PING": b"-DENIED Redis is running in protected mode because"}), {}, "it is in protected mode"),
        (Redis(says={"PING": b"-MISCONF Errors writing to the AOF file"}), {}, "it refuses PING"),
        (Redis(says={"AUTH": b"-ERR unknown command `AUTH`, with args beginning with: `hunter2`"}), {"password_secret": "pw"}, "it refuses AUTH"),
        (Redis(says={"PING": b"+NO"}), {}, "what answers is no Redis"),
        (Redis(says={"PING": b"HTTP/1.1 400 Bad Request"}), {}, "what answers is no Redis"),
        (Redis(lengths={(0, "celery"): 100}), {"queue": {}}, None),
        (Redis(lengths={(0, "celery"): 101}), {"queue": {}}, "101 wait in the queue, more than 100"),
        (Redis("hunter2", {(1, "mail"): 3}), {"queue": {"name": "mail", "database": 1, "max": 3}, "password_secret": "pw"}, None),
        (Redis("hunter2", {(1, "mail"): 4}), {"queue": {"name": "mail", "database": 1, "max": 3}, "password_secret": "pw"}, "4 wait in the queue, more than 3"),
        (Redis(says={"LLEN": b"-WRONGTYPE Operation against a key"}), {"queue": {}}, "what has this name is no list"),
        (Redis(says={"SELECT": b"-ERR DB index is out of range"}), {"queue": {"database": 99}}, "it refuses SELECT"),
        (Redis(says={"LLEN": b"+7"}), {"queue": {}}, "what answers is no Redis"),
    ],
)
def test_a_server_and_its_queues(redis, check, said):
    found = tried(redis, check)
    assert (found and found.said) == said
    assert found is None or "hunter" not in found.said + (found.seen or "") + found.remedy


def test_queues_are_looked_at_and_not_touched():
    redis = Redis("hunter2")
    tried(redis, {"queue": {"database": 3}, "password_secret": "pw"})
    assert redis.seen == [["AUTH", "hunter2"], ["SELECT", "3"], ["LLEN", "celery"]]


class Bytes:
    def __init__(self, answer):
        self.answer, self.sent = answer, b""

    def send(self, data):
        self.sent += data

    def take_line(self):
        return self.answer


@given(st.binary(max_size=60), st.lists(st.text(max_size=8), min_size=1, max_size=3))
def test_whatever_the_bytes_are_it_is_an_answer_or_is_objected_to(answer, words):
    stream = Bytes(answer)
    words = [word.encode("utf-8", "replace").decode() for word in words]
    try:
        found = ask(stream, *words)
        assert isinstance(found, int) == (answer[:1] == b":") and answer[:1] in (b":", b"+")
    except Objection:
        pass
    head, _end, rest = stream.sent.partition(b"\r\n")
    assert head == b"*%d" % len(words)
    for word in words:
        size, _end, rest = rest.partition(b"\r\n")
        assert rest[: int(size[1:])] == word.encode()
        rest = rest[int(size[1:]) + 2 :]
    assert rest == b""
