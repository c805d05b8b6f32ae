# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is accepted is cheap for a real nginx, and what is refused is not: its PCRE counts the steps."""

from __future__ import annotations

import re
import string
import tempfile

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._route_backtracking import MOST_STEPS, too_many_ways
from ansible_collections.portside.stack.plugins.plugin_utils._route_language import TooCostly
from ansible_collections.portside.stack.plugins.plugin_utils._route_regex import parse_regex, regex_size, regex_text
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from nginx_runner import IMAGES, INSIDE, nginx, request
from route_lists import REGEXES

# The edge reads 16 KiB.
LONGEST = 16300
# What PCRE gives up at by itself, and what it may take here: a group that may be nothing costs a step on its own.
LIMIT = 10000000
ALLOWED = MOST_STEPS * LONGEST * 3 // 2
WORDS = "|".join(one + two for one in string.ascii_lowercase[:12] for two in string.ascii_lowercase[:10])
# A pattern, and a path that is hard for it: how it begins, what comes again and again, how it ends.
FINE = [
    ("/files/.*\\.jpg", "/files/", ".jpg", "!"),
    ("/[^/]+/[^/]+/.*", "/a/b/", "a/", "!"),
    ("/(.*)/edit", "/", "/edit", "!"),
    ("/a/.*/b/.*", "/a/", "b/", "!"),
    ("/a/.*/b/.*", "/a", "/a", "!"),
    ("/.*a.*", "/", "b", "!"),
    ("/(?:en|de|fr)?/?api(?:/v[0-9]+)?(?:/.*)?", "/en/api/v", "1", "!"),
    ("/[a-z]*x", "/", "a", "x!"),
    ("/(.*)?", "/", "a", "!"),
    ("/((a?)?)?b", "/", "a", "!"),
    ("/([a-z]+/)*", "/", "a/", "!"),
    ("/([a-z]+/)*", "/", "a", "!"),
    ("/(a|b)+c", "/", "ab", "c!"),
    ("/[a-z]+(-[a-z]+)*", "/", "a-", "!"),
    ("/(?:[a-z0-9]+(?:-[a-z0-9]+)*/)*", "/", "a-a/", "!"),
    ("/([0-9]{1,3}\\.){3}[0-9]{1,3}", "/", "1.", "!"),
    ("/([0-9]{4}-){4,9}", "/", "0000-", "!"),
    ("/([a-z]{1,63}\\.)+x", "/", "a" * 63 + ".", "!"),
    ("/(a?b?){3}", "/", "ab", "!"),
    ("/a?a?a?a?[a-z]*x", "/", "a", "x!"),
    ("/.*[a-z]{1,60}x", "/", "a", "x!"),
    ("/(a|b)*a(a|b){7}", "/", "a", "!"),
    ("/.*\\.(?:png|jpe?g|gif|svg|webp|css|js|woff2?)", "/", ".png", "!"),
    ("/(?:[^/]+/)*[^/]+\\.php", "/", ".php/", "!"),
    ("/(?:(?:{0})/?)*x".format(WORDS), "/", "lj", "!"),
]
BAD = [
    ("/[a-z]*[a-z]*x", "/", "a", "!", "[a-z]*[a-z]*", "one loop for two"),
    ("/p/[a-z]*[a-z]*[a-z]*x", "/p/", "a", "!", "[a-z]*[a-z]*", "one loop for two"),
    ("/[a-z]+-?[a-z]*x", "/", "a", "!", "[a-z]+-?[a-z]*", "where the next one begins"),
    ("/[^/]+-[^/]+\\.html", "/", "-", "!", "[^/]+-[^/]+", "[^/-]+-[^/]+"),
    ("/a/.*/b/.*\\.jpg", "/a/", "b/", "!", ".*/b/.*\\.", "[^/]+/"),
    ("/.*a.*b", "/", "a", "!", ".*a.*b", "one loop for two"),
    ("/.*/edit/.*/view", "/", "edit/", "!", ".*/edit/.*/", "[^/]+/"),
    ("/v1/(a+)+b", "/v1/", "a", "!", "(?:a+)+", "as a+"),
    ("/(a*)*", "/", "a", "!", "(?:a*)*", "as a+"),
    ("/([a-z0-9]+-?)+", "/", "a", "!", "(?:[0-9a-z]+-?)+", "certain end"),
    ("/(a|ab|b)*c", "/", "ab", "!", "(?:a|ab|b)*", "certain end"),
    ("/(.*x.*)+b", "/", "x", "!", "(?:.*x.*)+", "certain end"),
    ("/([a-z]+-?){1,9}", "/", "a", "!", "(?:[a-z]+-?){1,9}", "certain end"),
    ("/x(y|z(a|a)+)b", "/xz", "a", "!", "(?:a|a)+", "as a+"),
    ("/(a?){30}", "/", "a", "!", "(?:a?){30}", "a{0,20}"),
    ("/" + "a?" * 30 + "b", "/", "a", "!", "a?" * 10, "a{0,20}"),
    ("/" + "(a|a)" * 30 + "b", "/", "a", "!", "(?:a|a)" * 9, "one matches"),
    ("/" + "(a|ab?|[ab])" * 30 + "c", "/", "a", "!", "", "one matches"),
    # Nothing, in several ways.
    ("/" + "((a?)?)?((b?)?)?" * 10 + "c", "/", "d", "!", "", "a{0,20}"),
    ("/((a?)?){30}b", "/", "c", "!", "(?:(?:a?)?){30}", "a{0,20}"),
    ("/((a?|b?)c?){30}d", "/", "x", "!", "", "one matches"),
]


@pytest.fixture(scope="module", params=IMAGES)
def server(request):
    with tempfile.TemporaryDirectory() as directory:
        with nginx(directory, request.param) as found:
            yield found


def hard_path(start, again, end):
    return start + again * ((LONGEST - len(start + end)) // len(again)) + end


def statuses(server, patterns_and_paths, limit):
    """What nginx answers where each has the pattern as its only location, and a number of steps to take."""
    servers = "".join(
        "server {{ listen unix:{0}/80.sock; server_name {1}.test; location / {{ return 404; }} "
        'location ~ "(*LIMIT_MATCH={2})^(?:{3})\\z" {{ return 200; }} }}\n'.format(INSIDE, number, limit, regex_text(parse_regex(pattern)))
        for number, (pattern, _path) in enumerate(patterns_and_paths)
    )
    with server.serving("events {{}}\nhttp {{ access_log off; large_client_header_buffers 4 16k;\n{0}}}\n".format(servers)):
        return [server.ask("80.sock", request("GET", path, "{0}.test".format(at))).status for at, (_pattern, path) in enumerate(patterns_and_paths)]


@pytest.mark.parametrize("pattern", sorted({one[0] for one in FINE}))
def test_what_costs_as_much_for_each_character_is_accepted(pattern):
    assert too_many_ways(parse_regex(pattern)) is None


@pytest.mark.parametrize("given", BAD)
def test_what_nginx_gives_up_on_is_refused_with_the_part_that_does_it(given):
    found = too_many_ways(parse_regex(given[0]))
    assert found is not None
    # The shortest that is too much by itself.
    assert found.part == given[4] or (not given[4] and found.part in regex_text(parse_regex(given[0])))
    assert given[5] in found.remedy


def test_nginx_answers_what_is_accepted(server):
    asked = [(pattern, hard_path(*path)) for pattern, *path in FINE]
    found = statuses(server, asked, ALLOWED)
    assert found == [200 if re.fullmatch(pattern, path) else 404 for pattern, path in asked]


def test_nginx_gives_up_on_what_is_refused(server):
    asked = [(pattern, hard_path(*path)) for pattern, *path, _part, _remedy in BAD]
    assert statuses(server, asked, LIMIT) == [500] * len(asked)


HARD = st.builds(
    hard_path,
    st.text(alphabet="ab/.", max_size=3).map("/{0}".format),
    st.text(alphabet="aab/", min_size=1, max_size=4),
    st.sampled_from(["", "/", "a", "b", "!"]),
)
PATTERNS = st.builds("{0}({1})?{2}".format, REGEXES, REGEXES, st.sampled_from(["", "[ab]{1,3}", "(a?b?){2}", "((a?)?b?)?", "(a|ab?){3}", "a{1,60}"]))


def is_accepted(pattern):
    try:
        return too_many_ways(parse_regex(pattern)) is None
    except TooCostly:
        return False


# Each example is many, since nginx starts for each; so a smaller one would take minutes to find.
@settings(max_examples=6, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example])
@given(st.lists(st.tuples(PATTERNS, HARD), min_size=40, max_size=60))
def test_nginx_answers_whatever_is_accepted(server, listed):
    accepted = [(pattern, path) for pattern, path in listed if is_accepted(pattern)]
    found = statuses(server, accepted, ALLOWED)
    assert not [(pattern, path[:20], path[-5:]) for (pattern, path), status in zip(accepted, found) if status == 500]


def test_the_work_is_bounded():
    with pytest.raises(TooCostly):
        too_many_ways(parse_regex("/.*x.{40}"))
    # The loops alone make it too much; all that the end can have read besides is not looked at.
    assert too_many_ways(parse_regex("/.*(?:\\.|;\\.)[a-c.](/[^a]+)?a{1,60}")) is not None
    largest = parse_regex("/(" + "a?" * 200 + "b){2}")
    assert regex_size(largest) > 400
    assert too_many_ways(largest) is not None
