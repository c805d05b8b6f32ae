# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import tempfile
from urllib.parse import quote

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import DOLLAR, block, comment, plain, value
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nginx_runner import INSIDE, nginx, request

SPECIAL = "\\\"' ;{}#$\n\r\tntr~=^@*/%?é€😀\x01\x7f"
ANY = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
TEXTS = st.lists(st.one_of(st.text(alphabet=SPECIAL, min_size=1, max_size=12), ANY), min_size=20, max_size=60)
HARD = ["\\", "\\\\", '"', "\\\\\\n", "a\\", "\\\"", "$", "${x}", "$1", "# no comment", "; }", "\n", "~ x", "= /x", "é" * 700, "\\d\\z", "on", "{}"]


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory() as directory:
        with nginx(directory) as found:
            yield found


def config(locations):
    body = block("server", ["listen unix:{0}/80.sock;".format(INSIDE), "types { }", "default_type text/plain;", "merge_slashes off;", *locations])
    base = ["pid /run/nginx.pid;", "events { }"]
    return "\n".join([*base, *block("http", [*DOLLAR, "access_log off;", "uninitialized_variable_warn off;", *body])]) + "\n"


@settings(max_examples=40)
@example(HARD)
@given(TEXTS)
def test_nginx_reads_each_word_as_the_text_that_it_was(server, texts):
    paths = list(dict.fromkeys("/" + text for text in texts))
    bodies = [text for text in texts if text]
    lines = []
    for index, path in enumerate(paths):
        lines += block("location = {0}".format(plain(path)), ["return 200 {0};".format(index)])
    for index, text in enumerate(bodies):
        lines += [comment("body " + text), *block("location = /a/body/{0}/".format(index), ["return 200 {0};".format(value(text))])]
    with server.serving(config(lines)):
        for index, path in enumerate(paths):
            encoded = "/" + quote(path[1:], safe="")
            reply = server.ask("80.sock", request("GET", encoded))
            # A path that nginx would resolve is not one of a location.
            if not any(segment in (".", "..") for segment in path.split("/")):
                assert (reply.status, reply.body.decode()) == (200, str(index)), path
        for index, text in enumerate(bodies):
            assert server.ask("80.sock", request("GET", "/a/body/{0}/".format(index))).body.decode("utf-8") == text


def test_variables_are_put_into_a_text_wherever_they_stand(server):
    lines = block("location /", ["return 200 {0};".format(value('{uri}"a{uri}$b\\{uri}', {"{uri}": "request_uri"}))])
    with server.serving(config(lines)):
        assert server.ask("80.sock", request("GET", "/x?y=%20")).body == b'/x?y=%20"a/x?y=%20$b\\/x?y=%20'


@pytest.mark.parametrize("length", [3990, 4000])
def test_the_longest_word_is_read(server, length):
    lines = block("location /", ["return 200 {0};".format(value("x " * (length // 2)))])
    with server.serving(config(lines)):
        assert len(server.ask("80.sock", request("GET", "/")).body) == length


@pytest.mark.parametrize("text", ["x " * 2001, "x" * 4001, "é" * 2001, "\\n" * 1400, "a\0b", "\ud800"])
@pytest.mark.parametrize("word", [plain, value])
def test_what_nginx_cannot_hold_is_refused(word, text):
    with pytest.raises(StackError, match="; (take it out|shorten it)"):
        word(text)


def test_comments_stay_comments():
    assert comment("a\nreturn 1;\r\x85\u2028\0b ") == "# a return 1; b"
