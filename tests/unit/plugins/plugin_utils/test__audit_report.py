# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import html.parser
import json
import re

import exposure_facts as exposure
import pytest
from ansible_collections.portside.stack.plugins.module_utils._audit_containers import container as read_container
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._audit_report import audit_index, audit_report
from audit_facts import audit, container, facts, nginx, result, server, tunnel
from exposure_facts import port, socket
from hypothesis import given, settings
from hypothesis import strategies as st

SENTINEL = "s3ntinelValue"


def careless():
    """A host with one of everything."""
    cache = exposure.container("cache", network_mode="host", image="redis:8")
    containers = [exposure.container("db", port(5432, target=5432), image="postgres:16"), cache]
    host = exposure.host(containers, [socket(22, "sshd"), socket(6379, "redis-server", of=cache)])
    read = audit(
        container("agent", sockets=["/var/run/docker.sock"]),
        container("db", secrets=[{"where": "environment", "name": "POSTGRES_PASSWORD"}]),
        container("old", running=False, status="exited", memory=0, tag="floating", secrets=[{"where": "command", "name": "--token"}]),
        container("strong", privileged=True),
        container("pids", host_pids=True, capabilities=["SYS_ADMIN"]),
        container("sick", health="unhealthy", failing=3),
        container("loop", running=False, restarting=True, restarts=8, out_of_memory=True),
        container("wide", memory=0, tag="floating", image="nginx"),
        nginx=[nginx(server(("^~", "/api/"), ("~", "^/api/stream")))],
        cloudflared=[tunnel(container="t", path="", elsewhere="token")],
        unseen=["Something was not seen."],
    )
    return facts(host, read, probe={"results": [result(5432, "open"), result(6379, "open")], "not_checked": ["IPv6: not checked."]})


def test_the_report_of_a_careless_host():
    report = audit_report(careless())["report"]
    assert [(one["severity"], one["rule"], one["subject"]) for one in report["findings"]] == [
        ("high", "open_database", "container cache"),
        ("high", "open_database", "container db"),
        ("high", "docker_socket", "container agent"),
        ("high", "privileged", "container strong"),
        ("medium", "host_control", "container pids"),
        ("medium", "visible_secret", "container db"),
        ("medium", "visible_secret", "container old"),
        ("medium", "dead_route", "container web"),
        ("medium", "restarting", "container loop"),
        ("medium", "unhealthy", "container sick"),
        ("low", "floating_image", "container wide"),
        ("low", "unlimited_memory", "container wide"),
    ]
    assert report["summary"] == {"high": 4, "medium": 6, "low": 2}
    assert report["not_seen"][0] == "Something was not seen." and report["not_seen"][-1] == "IPv6: not checked."
    assert [one["name"] for one in report["containers"]] == ["agent", "db", "loop", "old", "pids", "sick", "strong", "wide"]
    for one in report["findings"]:
        assert set(one) == {"severity", "rule", "what", "why", "remedy", "subject"} and all(one.values())
        assert all(one[key].rstrip(")").endswith(".") for key in ("what", "why", "remedy")), one


def test_a_host_without_any_of_it():
    told = audit_report(facts())
    assert told["report"]["summary"] == {"high": 0, "medium": 0, "low": 0}
    assert "Nothing was found." in told["text"] and "From outside nothing was tried." in told["text"]


def test_the_terminal():
    text = audit_report(careless())["text"]
    assert text.splitlines()[0] == "my.server, 2026-11-21 23:00 UTC: 4 high, 6 medium, 2 low"
    assert max(map(len, text.splitlines())) <= 100
    assert text.index("open_database") < text.index("visible_secret") < text.index("floating_image") < text.index("REACHABLE") < text.index("NOT SEEN")
    # What two findings have in common is told once.
    assert text.count("Why: Whoever may ask the engine reads them") == 1
    assert re.search(r"^  HIGH  5432/tcp +container db +PostgreSQL +answers +-$", text, re.M)


def test_programs_read_the_same_each_time():
    told = audit_report(careless())
    assert json.loads(told["json"]) == told["report"] and told["json"] == json.dumps(told["report"], indent=2, sort_keys=True) + "\n"
    other = careless()
    other["audit"]["containers"].reverse()
    assert audit_report(other) == told


def test_waivers_of_the_host_hold():
    given = careless()
    given["exposure"]["waived"] = [{"rule": "docker_control", "container": "agent", "reason": "it ships logs"}]
    report = audit_report(given)["report"]
    assert "docker_socket" not in [one["rule"] for one in report["findings"]]
    assert [(one["subject"], one["reason"]) for one in report["waived"]] == [("container agent", "it ships logs")]


def test_what_is_missing_is_named():
    with pytest.raises(StackError, match="'exposure'"):
        audit_report({"host": "a", "when": "b"})


class Page(html.parser.HTMLParser):
    """The elements of a page, whether they are closed, what they refer to, and the text."""

    EMPTY = ("meta",)

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.ids, self.text = [], [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        found = dict(attrs)
        self.links += [found[key] for key in ("href", "src", "action") if key in found]
        self.ids += [found["id"]] if "id" in found else []
        assert set(found) <= {"href", "id", "class", "lang", "charset", "name", "content", "http-equiv", "scope", "aria-label"}
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_stands_alone():
    text = audit_report(careless())["html"]
    page = Page(text)
    assert page.links and all(link[1:] in page.ids for link in page.links)
    assert not re.search(r"https?:|url\(|@import|<script|<img|<link", text)
    assert "<title>Audit of my.server, 2026-11-21 23:00 UTC</title>" in text
    for word in ("prefers-color-scheme", "@media print", "high", "medium", "low", "What an audit does not see", "POSTGRES_PASSWORD"):
        assert word in text


def test_the_index_leads_to_the_worst_first():
    entries = [{"file": "b.html", "report": audit_report(facts())["report"]}, {"file": "a b&c.html", "report": audit_report(careless())["report"]}]
    page = Page(audit_index(entries))
    assert page.links == ["a b&c.html", "b.html"] and "Audit of 2 hosts" in page.text


WORDS = st.text(min_size=1, max_size=20) | st.sampled_from(["<script>alert(1)</script>", "\"' onload=x", "&amp;", "</td>", "\x1b[31m", "{0}", "{{ 1 }}"])


@settings(deadline=None, max_examples=40)
@given(WORDS, WORDS, WORDS)
def test_whatever_things_are_called_it_is_text(name, image, host):
    db = exposure.container(name, port(5432, target=5432), image=image)
    given = facts(
        exposure.host([db], [socket(9000, name)]),
        audit(
            container(name, image=image, tag="floating", sockets=[host], secrets=[{"where": "label", "name": name}], memory=0),
            nginx=[nginx(server(("", "/" + name), ("~", "^/x"), names=[host]), container=name)],
            cloudflared=[tunnel(container=name, path=image, elsewhere="token")],
            unseen=[image],
        ),
        host=host,
    )
    told = audit_report(given)
    page = Page(told["html"])
    assert not {"script", "img", "iframe"}.intersection(page.tags)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", told["text"] + told["html"])
    assert max(map(len, told["text"].splitlines())) <= 100


SECRET = st.builds("{0}{1}".format, st.text("abc ./:@='\"\n", max_size=6), st.just(SENTINEL))
VARIABLE = st.sampled_from("POSTGRES_PASSWORD DATABASE_URL API_KEY TOKEN PATH PGPASSWORD X".split())


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(VARIABLE, SECRET), max_size=4), st.lists(SECRET | st.sampled_from(["--password", "--token", "-c", "sh"]), max_size=5))
def test_no_value_of_a_secret_is_ever_in_a_report(variables, words):
    data = {
        "Id": "1",
        "Name": "/app",
        "HostConfig": {},
        "Config": {
            "Image": "app:1",
            "Env": ["{0}={1}".format(*one) for one in variables],
            "Cmd": words,
            "Healthcheck": {"Test": words},
            "Labels": {"app.token": " ".join(words)},
        },
        "State": {"Status": "running", "Running": True, "Health": {"Status": "unhealthy", "Log": [{"Output": SENTINEL}]}},
    }
    told = audit_report(facts(read=audit(read_container(data, str))))
    assert SENTINEL not in json.dumps(told)
