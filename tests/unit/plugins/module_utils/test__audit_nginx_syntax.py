# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import textwrap

import pytest
from ansible_collections.portside.stack.plugins.module_utils._audit_nginx_syntax import BadConfig, parse
from hypothesis import given
from hypothesis import strategies as st
from nginx_runner import nginx

# What nginx accepts, and what it is: names with their words, blocks inside.
ACCEPTED = {
    "comments": ("# a;\n  # {\nuser root; # } end\nevents {}#x\n", [("user", "root"), ("events", [])]),
    "quotes": (
        "events { } http { log_format a 'x \\'y\\' $status' \"; {\"; }",
        [("events", []), ("http", [("log_format", "a", "x 'y' $status", "; {")])],
    ),
    "braces in a regular expression": (
        'events{} http{server{location ~ "^/a{2,3}$"{return 200;}}}',
        [("events", []), ("http", [("server", [("location", "~", "^/a{2,3}$", [("return", "200")])])])],
    ),
    "a brace that closes is a character within a word": (
        "events{} http{server{location ~ ^/a}b$ {return 200;}}}",
        [("events", []), ("http", [("server", [("location", "~", "^/a}b$", [("return", "200")])])])],
    ),
    "backslashes": (
        r"events{} http{server{location ~ \.php$ {} location ~ ^/a\;b\{1\}x {} location = /a\ b {} location '/q\'s' {}}}",
        [
            ("events", []),
            (
                "http",
                [
                    (
                        "server",
                        [
                            ("location", "~", r"\.php$", []),
                            ("location", "~", r"^/a\;b\{1\}x", []),
                            ("location", "=", r"/a\ b", []),
                            ("location", "/q's", []),
                        ],
                    )
                ],
            ),
        ],
    ),
    "variables in braces": (
        "events{} http{server{location / {return 200 ${host}x;}}}",
        [("events", []), ("http", [("server", [("location", "/", [("return", "200", "${host}x")])])])],
    ),
    "a bracket behind a quote": (
        'events{} http{server{if ($host = "a") {return 200;}}}',
        [("events", []), ("http", [("server", [("if", "($host", "=", "a", ")", [("return", "200")])])])],
    ),
    "a hash within a word": (
        "events{} http{server{location /a#b {}}}",
        [("events", []), ("http", [("server", [("location", "/a#b", [])])])],
    ),
    "maps": (
        "events{} http{map $uri $new { default 0; ~^/x$ 1; '' 2; }}",
        [("events", []), ("http", [("map", "$uri", "$new", [("default", "0"), ("~^/x$", "1"), ("", "2")])])],
    ),
    "line ends of all kinds": ("user\r\n root\r\n;events\t{\r\n}", [("user", "root"), ("events", [])]),
}
REFUSED = {
    "an end without a beginning": ("events {} }", "1"),
    "no end": ("events {}\nhttp {\n", "3"),
    "a word at the end": ("events {}\nuser root", "2"),
    "a semicolon alone": ("events {};", "1"),
    "quotes without an end": ("events {} user 'x;\n", "2"),
    "something behind a quote": ("events {} user 'root'x;", "1"),
    "a block without a name": ("events {} { }", "1"),
}


def plain(directives):
    return [(one.name, *one.args) if one.block is None else (one.name, *one.args, plain(one.block)) for one in directives]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_nginx_accepts(text, expected):
    assert plain(parse(text, "nginx.conf")) == expected


@pytest.mark.parametrize(("text", "line"), REFUSED.values(), ids=REFUSED)
def test_what_it_refuses_has_a_place_and_no_words_of_the_text(text, line):
    with pytest.raises(BadConfig, match="^nginx.conf:{0}: ".format(line)) as error:
        parse(text, "nginx.conf")
    assert "root" not in str(error.value)


def test_lua_is_told_and_not_guessed():
    with pytest.raises(BadConfig, match="a.conf:3: a block of Lua"):
        parse("http {\n\n  access_by_lua_block { if x then return '}' end }\n}", "a.conf")


def test_lines():
    text = textwrap.dedent(
        """
        # one
        http {
          server {
            location /a
              {
            }
          }
        }
        """
    )
    (http,) = parse(text, "a.conf")
    (server,) = http.block
    assert (http.line, server.line, server.block[0].line) == (3, 4, 5)


def test_many_comments_are_no_depth():
    assert plain(parse("# x\n" * 5000 + "user root;", "a")) == [("user", "root")]
    with pytest.raises(BadConfig, match="too deep"):
        parse("a {" * 100, "a")


@given(st.text("ab '\"\\{};#$\n", max_size=30))
def test_it_never_does_anything_but_read_or_refuse(text):
    try:
        parse(text, "a")
    except BadConfig:
        return


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8), min_size=1, max_size=4))
def test_whatever_is_quoted_comes_back(words):
    quoted = " ".join("'{0}'".format(word.replace("\\", "\\\\").replace("'", "\\'")) for word in words)
    assert plain(parse("log_format {0};".format(quoted), "a")) == [("log_format", *words)]


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    with nginx(str(tmp_path_factory.mktemp("n"))) as found:
        yield found


@pytest.mark.parametrize("text", [text for text, _expected in ACCEPTED.values()], ids=ACCEPTED)
def test_nginx_itself_accepts_it(real, text):
    assert real.judged(text) == ""


@pytest.mark.parametrize("text", [text for text, _line in REFUSED.values()], ids=REFUSED)
def test_nginx_itself_refuses_it(real, text):
    assert "[emerg]" in real.judged(text)
