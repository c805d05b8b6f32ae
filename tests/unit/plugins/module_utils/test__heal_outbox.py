# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._heal_outbox import AGAIN, Outbox


class Host:
    def __init__(self):
        self.now, self.url, self.refusal, self.posts, self.lines, self.work = 0.0, "https://hooks/x", "", [], [], []
        self.outbox = Outbox("web1", self.read, self.post, self, self.lines.append, self.work.append)

    def monotonic(self):
        return self.now

    def read(self):
        if self.url is None:
            raise StackError("/etc/portside/webhook is not what the role firewall writes.")
        return self.url

    def post(self, url, value):
        assert url == self.url
        if self.refusal:
            raise StackError(self.refusal)
        self.posts.append(value)

    def send(self):
        self.outbox.send()
        begun, self.work[:] = list(self.work), []
        for one in begun:
            one()


def test_what_waits_is_told_at_once():
    host = Host()
    host.send()
    host.outbox.add({"a": 1})
    host.outbox.add({"a": 2})
    host.send()
    host.send()
    assert host.posts == [{"host": "web1", "healing": [{"a": 1}, {"a": 2}]}]


def test_what_could_not_be_told_is_told_later_in_order():
    host = Host()
    host.outbox.add({"a": 1})
    host.refusal = "the webhook at hooks answered 500"
    for _time in range(3):
        host.send()
        host.now += AGAIN
    host.outbox.add({"a": 2})
    host.refusal = ""
    host.send()
    assert host.posts == [{"host": "web1", "healing": [{"a": 1}, {"a": 2}]}]
    assert host.lines == ["<4>heal: the webhook at hooks answered 500. It is told again later."]


def test_it_is_not_asked_again_before_its_time():
    host = Host()
    host.outbox.add({"a": 1})
    host.refusal = "no"
    host.send()
    host.refusal = ""
    host.now += AGAIN - 1
    host.send()
    assert host.posts == []


def test_nobody_waits_for_it():
    host = Host()
    host.outbox.add({"a": 1})
    host.outbox.send()
    host.outbox.add({"a": 2})
    host.outbox.send()
    assert (host.posts, len(host.work)) == ([], 1)
    host.send()
    host.send()
    assert [one["healing"] for one in host.posts] == [[{"a": 1}], [{"a": 2}]]


def test_without_a_webhook_nothing_is_kept_and_what_is_none_is_told():
    host = Host()
    host.url = ""
    host.outbox.add({"a": 1})
    host.send()
    host.url = "https://hooks/x"
    host.send()
    assert host.posts == []
    host.url = None
    host.outbox.add({"a": 2})
    host.send()
    assert "is not what the role firewall writes. It is told again later." in host.lines[0]


def test_of_a_webhook_that_is_never_reached_the_last_entries_are_kept():
    host = Host()
    for number in range(1000):
        host.outbox.add(number)
    host.send()
    assert host.posts[0]["healing"] == list(range(800, 1000))
