# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._exposure_model import endpoint, finding
from ansible_collections.portside.stack.plugins.module_utils._exposure_watch import TOLD, Seen, Watch, report
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

URL = "https://hooks.example.com/services/T0/SECRET"


def violation(name, severity="high", stack="", pid=0):
    who = {"container": name, "stack": stack, "since": "2026-11-20T08:11:02Z"}
    what = "{0} publishes 0.0.0.0:5432{1}.".format(name, " by process x (pid {0}, user root)".format(pid) if pid else "")
    return finding("undeclared_port", who, what, "Nobody declared it.", "Take it away.", severity, endpoint("tcp", "0.0.0.0", 5432))


class Host:
    """A host whose violations, engine and runs a test sets, and what it tells."""

    def __init__(self, root):
        self.root, self.fs, self.engine, self.violations, self.busy = root, FileSystem(), True, [], [set()]
        self.journal, self.posts, self.refusal = [], [], ""

    def run(self):
        """What one run tells: lines of the journal, and posts."""
        self.journal, self.posts = [], []
        busy = iter(self.busy * 2)
        report(Watch(self.fs, self.look, lambda: set(next(busy)), self.journal.append, self.post, "web1", str(self.root)))
        return self.journal, self.posts

    def look(self):
        return Seen(self.engine, list(self.violations))

    def post(self, url, value):
        assert url == URL
        # The journal is safe by then.
        assert (self.root / TOLD[1:]).exists()
        if self.refusal:
            raise StackError(self.refusal)
        self.posts.append(json.loads(json.dumps(value)))

    def webhook(self):
        (self.root / "etc/portside").mkdir(parents=True)
        (self.root / "etc/portside/webhook").write_text(json.dumps(URL))


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def names(findings):
    return [one["container"] for one in findings]


def test_what_is_new_is_told_once_and_what_is_gone_too(host):
    host.webhook()
    assert host.run() == ([], [])
    host.violations = [violation("db"), violation("logs", "medium")]
    lines, posts = host.run()
    assert lines == [
        "<3>exposure: undeclared_port: db publishes 0.0.0.0:5432. (since 2026-11-20 08:11:02 UTC) Why: Nobody declared it. Remedy: Take it away.",
        "<4>exposure: undeclared_port: logs publishes 0.0.0.0:5432. (since 2026-11-20 08:11:02 UTC) Why: Nobody declared it. Remedy: Take it away.",
    ]
    assert [(one["host"], names(one["violations"]), one["gone"]) for one in posts] == [("web1", ["db", "logs"], [])]
    assert host.run() == ([], [])
    host.violations = [violation("logs", "medium")]
    lines, posts = host.run()
    assert lines == ["<5>exposure: no more: undeclared_port: db publishes 0.0.0.0:5432."]
    assert [(one["violations"], names(one["gone"])) for one in posts] == [([], ["db"])]
    assert host.run() == ([], [])


def test_without_a_webhook_the_journal_is_told_and_one_that_comes_later_hears_all(host):
    host.violations = [violation("db")]
    assert len(host.run()[0]) == 1
    host.webhook()
    lines, posts = host.run()
    assert (lines, names(posts[0]["violations"])) == ([], ["db"])


def test_after_a_boot_everything_is_told_again(host):
    host.violations = [violation("db")]
    host.run()
    (host.root / TOLD[1:]).unlink()
    assert len(host.run()[0]) == 1
    # Another version of this wrote it, or nobody did.
    for text in ("{", '{"other": 1}'):
        (host.root / TOLD[1:]).write_text(text)
        assert len(host.run()[0]) == 1


def test_what_the_webhook_was_not_told_it_is_told_the_next_time(host):
    host.webhook()
    host.violations, host.refusal = [violation("db")], "the webhook at hooks.example.com answered 500"
    lines, _posts = host.run()
    assert [line[:3] for line in lines] == ["<3>", "<4>"]
    assert lines[1] == "<4>exposure: the webhook at hooks.example.com answered 500. It is told again the next time."
    assert len(host.run()[0]) == 1
    host.violations.append(violation("logs"))
    host.refusal = ""
    lines, posts = host.run()
    assert len(lines) == 1 and names(posts[0]["violations"]) == ["db", "logs"]
    assert host.run() == ([], [])
    # What came and went in between, nobody has to hear of.
    host.violations, host.refusal = [], "the webhook at hooks.example.com was not reached: timeout"
    host.run()
    host.violations, host.refusal = [violation("db"), violation("logs")], ""
    assert host.run()[1] == []


@pytest.mark.parametrize("busy", [[{"shop"}], [{"shop"}, set()], [set(), {"shop"}]])
def test_of_a_stack_that_a_run_is_at_work_on_nothing_is_told_until_that_is_over(host, busy):
    host.webhook()
    host.violations = [violation("shop-old-1", stack="shop")]
    host.run()
    host.violations, host.busy = [violation("shop-web-1", stack="shop"), violation("db")], busy
    lines, posts = host.run()
    assert len(lines) == 1 and "db" in lines[0] and names(posts[0]["violations"]) == ["db"]
    host.busy = [set()]
    lines, posts = host.run()
    assert ["shop-web-1" in lines[0], "no more" in lines[1] and "shop-old-1" in lines[1]] == [True, True]
    assert (names(posts[0]["violations"]), names(posts[0]["gone"])) == (["shop-web-1"], ["shop-old-1"])


def test_a_process_that_was_started_again_is_no_other_one(host):
    host.violations = [violation("x", pid=12)]
    host.run()
    host.violations = [violation("x", pid=4711)]
    assert host.run() == ([], [])


def test_an_engine_that_is_restarted_makes_no_noise(host):
    host.violations = [violation("db")]
    host.run()
    proxy = dict(violation(""), what="process docker-proxy listens on 0.0.0.0:5432.", process="docker-proxy")
    host.engine, host.violations = False, [proxy]
    lines, _posts = host.run()
    assert len(lines) == 1 and lines[0].startswith("<4>exposure: the engine does not answer any more")
    host.engine, host.violations = True, [violation("db")]
    assert host.run() == ([], [])


def test_an_engine_that_stays_away_is_done_without(host):
    host.violations = [violation("db")]
    host.run()
    host.engine, host.violations = False, []
    host.run()
    assert host.run()[0] == ["<5>exposure: no more: undeclared_port: db publishes 0.0.0.0:5432."]
    assert host.run() == ([], [])


def test_a_name_with_a_line_break_is_no_line_of_its_own(host):
    host.violations = [dict(violation("x"), what="process a\n<0>b listens.")]
    (line,) = host.run()[0]
    assert line.startswith("<3>exposure: undeclared_port: process a <0>b listens.")


def test_what_was_told_is_for_root_alone(host):
    host.violations = [violation("db")]
    host.run()
    assert (host.root / TOLD[1:]).stat().st_mode & 0o777 == 0o600
