# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ingress rules of cloudflared, against what the real program answered."""

from __future__ import annotations

import json
import pathlib
import random
import re
from urllib.parse import urlsplit

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _cloudflared_rules as rules
from ansible_collections.portside.stack.plugins.plugin_utils import _regex_unicode
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_hosts import second_form
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_ingress import REFUSED
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_problems import cloudflared_problems
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_rules import cloudflared_match
from hypothesis import given
from hypothesis import strategies as st

MEASURED = json.loads((pathlib.Path(__file__).parents[2] / "data" / "cloudflared_measured.json").read_text(encoding="utf-8"))
NOT_FOUND = {"service": "http_status:404"}


def on_paths(*paths, host=None):
    hostname = {"hostname": host} if host else {}
    return [dict(hostname, path=path, service="http://127.0.0.1:8000") for path in paths] + [NOT_FOUND]


def found(given_rules):
    return [(problem["rule"], problem["kind"], problem["example"]) for problem in cloudflared_problems(given_rules)]


@pytest.mark.parametrize("case", [case for case in MEASURED["cases"] if case["answers"]], ids=lambda case: json.dumps(case["rules"])[:60])
def test_answers_are_those_of_the_real_program(case):
    for url, answer in case["answers"].items():
        # What the program does with its argument before it looks for the rule.
        host = urlsplit(url).netloc
        path = url.partition("://")[2][len(host) :]
        try:
            assert cloudflared_match(case["rules"], re.sub(r"^\[(.*)\](:[0-9]+)?$", r"\1", host), path) == answer, url
        except StackError as error:
            # Never where only common words are used: these are what the documentation names.
            assert "cannot be decided" in str(error)
            assert "\\p" in json.dumps(case["rules"]) or "\\u" in json.dumps(case["rules"])


@pytest.mark.parametrize("case", MEASURED["cases"], ids=lambda case: json.dumps(case["rules"])[:60])
def test_refusals_are_those_of_the_real_program(case):
    invalid = [problem for problem in cloudflared_problems(case["rules"]) if problem["kind"] == "invalid"]
    assert bool(invalid) == bool(case["refused"])
    if case["refused"] not in ("", "yaml"):
        assert any(case["refused"].rstrip(".") in problem["message"] for problem in invalid), invalid


@pytest.mark.parametrize("case", [case for case in MEASURED["cases"] if case["warned"]], ids=lambda case: json.dumps(case["rules"])[:60])
def test_keys_that_it_only_warns_about_are_told(case):
    assert any("ignores the key" in problem["message"] for problem in cloudflared_problems(case["rules"]))


def test_the_measurement_has_enough_of_everything():
    assert MEASURED["produced_by"].startswith("cloudflared 2026.8.2 ")
    assert sum(bool(case["refused"]) for case in MEASURED["cases"]) > 80
    assert sum(len(case["answers"]) for case in MEASURED["cases"]) > 500
    # Made rules begin with this very expression.
    assert REFUSED in [rule.get("path") for case in MEASURED["cases"] for rule in case["rules"] if isinstance(rule, dict)]


@pytest.mark.parametrize(
    "host, answer",
    [("[::1]:80", 0), ("::1", 0), ("[::1]", 1), ("a.b:8080", 2), ("a.b:", 2), ("a.b:8080:1", 3), ("A.B", 3)],
)
def test_the_port_of_a_host_is_cut_as_go_does_it(host, answer):
    # The Host header, which `ingress rule` never sees: it takes a URL apart first.
    given_rules = [{"hostname": name, "service": "http://h"} for name in ("::1", "[::1]", "a.b")] + [NOT_FOUND]
    assert cloudflared_match(given_rules, host, "/") == answer


@pytest.mark.parametrize(
    "path, text",
    [
        ("/a%2Fb%20c?x=/y#z", "/a/b c"),
        ("/a#b?c", "/a"),
        ("/%2541", "/%41"),
        # Not valid: as it is, and each stray byte for itself, which is how Go reads a text.
        ("/%zz%4", "/%zz%4"),
        ("/%FF%E2%82", "/\ufffd\ufffd\ufffd"),
        ("/%ED%A0%80", "/\ufffd\ufffd\ufffd"),
        ("/%F0%9F%98%80", "/\U0001f600"),
        ("//a/../b", "//a/../b"),
    ],
)
def test_the_path_is_decoded_once_and_not_resolved(path, text):
    assert rules.decoded_path(path) == text


def test_without_a_last_rule_for_everything_the_last_one_answers():
    assert cloudflared_match([{"path": "^/a", "service": "http://a"}, {"path": "^/b", "service": "http://b"}], "x", "/c") == 1


@pytest.mark.parametrize(
    "given_rules, said",
    [
        ([], "There are no rules"),
        ("x", "There are no rules"),
        ([5], "rules[0]: It is not a mapping"),
        ([{"path": ["/a"], "service": "http://h"}], "rules[0]: Its key 'path' is not a text"),
        (on_paths("*"), "missing argument to repetition operator: `*`"),
        (on_paths(r"\p{Greek}"), "cannot be decided without google-re2"),
        (on_paths("(?i)é"), "cannot be decided without google-re2"),
        ([{"hostname": "a\u200db.com", "service": "http://h"}, NOT_FOUND], "rules[0]: it cannot be decided"),
    ],
)
def test_what_cannot_be_answered_is_said(monkeypatch, given_rules, said):
    for module in (rules, _regex_unicode):
        monkeypatch.setattr(module, "re2", None)
    with pytest.raises(StackError) as caught:
        cloudflared_match(given_rules, "xn--n3h.com", "/a")
    assert said in str(caught.value)


def test_google_re2_decides_what_is_left():
    assert cloudflared_match(on_paths(r"^/\p{Greek}+$", "^/(?i)é"), "h", "/%CE%B1") == 0
    assert cloudflared_match(on_paths(r"^/\p{Greek}+$", "^/(?i)é"), "h", "/%C3%89") == 1
    assert cloudflared_match(on_paths(r"^/\p{Greek}+$", "^/(?i)é"), "h", "/a") == 2


@pytest.mark.parametrize(
    "path, answer",
    [
        (r"^/\p{letter}+$", {"/%CE%B1b": 0, "/1": 1}),
        (r"^/[\p{Old Italic}\P{^greek}]$", {"/%CE%B1": 0, "/a": 1}),
        (r"(?i)^/\PL\p{Lu}", {"/1a": 0, "/aa": 1}),
        (r"^/[^\p{^L}b]", {"/a": 0, "/b": 1, "/1": 1}),
        ("(?i)^/[é-ü]$", {"/%C3%89": 0, "/e": 1}),
    ],
)
def test_classes_of_unicode_are_those_of_go(path, answer):
    assert {asked: cloudflared_match(on_paths(path), "h", asked) for asked in answer} == answer
    assert not [problem for problem in cloudflared_problems(on_paths(path)) if "decided" in problem["message"]]


@pytest.mark.parametrize("name", ["{Foo}", "{}", "{^^L}", "é", "{Grek}", "{White_Space}"])
def test_a_class_that_go_does_not_have_is_refused(name):
    problem = cloudflared_problems(on_paths(r"^/\p" + name))[0]
    assert problem["kind"] == "invalid" and r"invalid character class range: `\p" + name + "`" in problem["message"]


def test_an_unknown_expression_only_matters_where_it_decides():
    assert cloudflared_match(on_paths(r"^/x\p{Greek}", "^/a"), "h", "/a") == 1


def test_a_hostile_expression_ends_soon_and_says_so():
    assert cloudflared_match(on_paths("^(/a|/a)*$", "(a*)*b"), "h", "/a" * 4000 + "c") == 2
    letters = "".join(random.Random(1).choices("ab", k=8000))
    with pytest.raises(StackError, match="takes too much work"):
        cloudflared_match(on_paths("(a|b)*a(a|b){600}c"), "h", "/" + letters)


@pytest.mark.parametrize(
    "given_rules",
    [
        on_paths("^/ws(/|$)", "^/api/v1/mentor/stream(/|$)", "^/media/.*", "^/api/.*", "^/", host="example.com"),
        on_paths(r"\.(jpg|png|css|js)$", r"/\.git", r"^/v1\.0/", "/healthz$", "^/./$", "^/[^/]+/feed$"),
        on_paths("/"),
        [
            {"hostname": "example.com", "path": "^/admin", "service": "https://localhost:8443", "originRequest": {"noTLSVerify": True}},
            {"hostname": "example.com", "service": "http://app:8000", "originRequest": {"connectTimeout": "30s", "keepAliveConnections": 10}},
            {"hostname": "my_app.example.com", "service": "unix:/run/app.sock"},
            {"hostname": "xn--9ca.com", "service": "ssh://localhost:22"},
            {"hostname": "É2.com", "service": "tcp://db:5432"},
            {"hostname": "Shop.Example.com", "service": "http_status:503"},
            {"hostname": "*.example.com", "service": "http://[::1]:80"},
            {"hostname": "jump.example.net", "service": "bastion", "originRequest": {"access": {"required": True, "teamName": "t", "audTag": ["x"]}}},
            {"hostname": "*", "service": "http_status:404"},
        ],
        [{"path": "^/", "service": "http://a:1"}, NOT_FOUND],
    ],
)
def test_a_good_configuration_has_no_findings(given_rules):
    assert cloudflared_problems(given_rules) == []


@pytest.mark.parametrize(
    "path, example",
    [
        ("/api*", "/ap"),
        ("/api/*", "/api"),
        ("^/ws*", "/w"),
        ("stream*", "/strea"),
        ("/a/*/b", "/a/b"),
        ("/*/x", "/x"),
        ("^/api*/v1", "/ap/v1"),
        ("/aaa", "/a/aaa"),
        ("/api/.*", "/a/api/"),
        ("(/api|/ws)/", "/a/ws/"),
        ("api", "/aapi"),
        ("/[a-z]+$", "/a/a"),
        (r"^/index.html$", "/indexahtml"),
        (".jpg$", "/jpg"),
        (".(jpg|png)$", "/jpg"),
        ("^/a%20b", ""),
        (r"^/search\?q=", ""),
        ("^/a\n", ""),
    ],
)
def test_paths_that_say_something_else_are_shown(path, example):
    assert (0, "suspicious", example) in found(on_paths(path))
    if example:
        assert cloudflared_match(on_paths(path), "h", example) == 0


@pytest.mark.parametrize(
    "rule, words",
    [
        ({"hostname": "*x.com"}, "no wildcard"),
        ({"hostname": "*.Example.com"}, "a wildcard is compared as it is"),
        ({"hostname": "*.é.com"}, "a wildcard is compared as it is"),
        ({"hostname": "My_App.example.com"}, "does not convert this name"),
        ({"hostname": "example.com/api"}, "never has a slash"),
        ({"hostname": "example.com."}, "leave the last dot out"),
        ({"hostname": "a b.com"}, "no host has such characters"),
        ({"hostname": "a\u200db.com"}, "cannot be decided"),
        ({"hostname": "é_b.com"}, "does not convert this name"),
        ({"hostname": "a.XN--0"}, "does not convert this name"),
        ({"service": "http://h:99999"}, "no port 99999"),
        ({"service": "http://h:0"}, "no port 0"),
        ({"service": "htp://h:1"}, "'htp' is none"),
        ({"service": "http://h?x=1"}, "query"),
        ({"service": "http://user:secret@h"}, "login"),
        ({"service": "unix:"}, "no path"),
        ({"service": "http_status:999"}, "status 999"),
        ({"service": "bastion"}, "choose where to connect"),
        ({"service": "socks-proxy"}, "choose where to connect"),
        ({"originRequest": {"bastionMode": True}}, "choose where to connect"),
        ({"originRequest": {"bastionMode": "yes"}}, "choose where to connect"),
        ({"pathh": "/x"}, "'pathh'"),
        ({"Path": "/x"}, "Write path."),
        ({"originRequest": {"connecttimeout": "3s"}}, "Write connectTimeout."),
        ({"originRequest": {"access": {"aud": "3s"}}}, "'originRequest.access.aud'"),
    ],
)
def test_what_is_accepted_though_wrong_is_told(rule, words):
    problems = cloudflared_problems([dict({"hostname": "example.com", "service": "http://h"}, **rule), NOT_FOUND])
    assert [problem["kind"] for problem in problems] == ["suspicious"]
    assert words in problems[0]["message"] and problems[0]["message"].startswith("rules[0] (host ")
    assert "secret" not in problems[0]["message"]


@pytest.mark.parametrize(
    "rule, words",
    [
        ({"service": "tcp://[fe80::1%25]"}, "zone must be a non-empty string"),
        ({"service": "http://h", "originRequest": {"ipRules": ["10.0.0.0/8"]}}, "write a list of mappings"),
    ],
)
def test_what_go_refuses_is_refused(rule, words):
    problems = cloudflared_problems([dict({"hostname": "example.com"}, **rule), NOT_FOUND])
    assert [words in problem["message"] for problem in problems if problem["kind"] == "invalid"] == [True]


def test_a_class_of_nothing_is_dead():
    assert (0, "dead", "") in found(on_paths(r"/a[^\x00-\x{10FFFF}]b"))


def test_a_login_in_a_refused_service_is_not_shown():
    assert "secret" not in cloudflared_problems([{"hostname": "a.b", "service": "http://user:secret@h:x"}, NOT_FOUND])[0]["message"]


def test_forms_of_names_agree_with_go():
    # Measured with golang.org/x/net/idna, Lookup.ToASCII.
    forms = {
        "Example.COM": "example.com",
        "MÔÔ.com": "xn--m-xgaa.com",
        "日本.jp": "xn--wgv71a.jp",
        "a_B.c": "",
        "-A.b": "",
        "ab--c.D": "",
        "A.": "a.",
        "a。b": "a.b",
        "straße.DE": "xn--strae-oqa.de",
        "ẞİſ\u212a.x": "xn--isk-4ka57y.x",
        "☃❤\ufe0f.com": "xn--n3h82c.com",
        "ΣΑΣ.gr": "xn--mxa9ab.gr",
        "Ｆull.①": "full.1",
        "a﹒b": "",
        "A\u0300.x": "xn--0ca.x",
        "\u0301a.X": "",
        # From right to left: every label has its rule then.
        "مثال.com": "xn--mgbh0fb.com",
        "אb.com": "",
        "א1.2": "",
        "١א.x": "",
        "XN--9CA.com": "xn--9ca.com",
        "XN--A.com": "",
    }
    assert {name: second_form(name) for name in forms} == forms


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["/api*", "a.b", "*.b", "http://h", "(", "é.com"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["hostname", "path", "service", "originRequest", "access", "ipRules", "x"]) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(ANYTHING)
def test_any_input_gets_problems_and_no_error(anything):
    for problem in cloudflared_problems(anything):
        assert set(problem) == {"rule", "kind", "message", "example"} and problem["kind"] in ("invalid", "dead", "suspicious")


@given(
    st.lists(
        st.fixed_dictionaries(
            {"service": st.just("http://h")}, optional={"path": st.text("ab/.*+?()[]{}|^$\\-,12", max_size=8), "hostname": st.text("a.*:A", max_size=4)}
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_has_no_invalid_problem_can_be_matched(given_rules):
    if all(problem["kind"] != "invalid" for problem in cloudflared_problems(given_rules + [NOT_FOUND])):
        assert 0 <= cloudflared_match(given_rules + [NOT_FOUND], "a.a", "/ab") <= len(given_rules)
