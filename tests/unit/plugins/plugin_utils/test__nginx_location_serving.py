# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real nginx says which location answers, what the path is, and what it refuses."""

from __future__ import annotations

import random

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_location import nginx_location
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_location_list import read_locations
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_path import nginx_path
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_problems import nginx_problems
from nginx_locations import config_of, nginx_judging, nginx_serving

LISTS = 100
TARGETS = 60
NAMES = ["a", "b", "ab", "api", "A", "%", "x.jpg", ".", "..", "a b", "é"]
EXPRESSIONS = [
    *["a", "^/a", "^/a$", "/a/", r"\.jpg$", "^/(a|b)/", "b$", "^/a.b$", "/$", "^/api(/|$)", "(?i)API", "^/(?!a)", r"^/.*b\z", "^/[^/]+$", "."],
    *[
        r"^/a\b",
        r"^/\w+/\w+$",
        "x|^/b",
        r"^/(?=.*b)a",
        r"(?m)^b$",
        r"\Aa?/",
        r"^/[[:alpha:]]+\s?$",
        r"^/\x61\Q.\E?",
        "^/a{2,}",
        "^(?:/a)*$",
        "(?s)^/a.b",
        r"\xc3\xa9",
        r"(?<!a)/b",
        r"(?<=/a|x)b",
        r"(?<!\.jpg)$",
        r"^/([^/])\1",
        r"(?i)/(?<n>a)b?\k<n>",
        "^/[^/]++/",
        "^/(?>a|ab)/",
        "^/(?:ab|a)*+/?b",
    ],
]
PIECES = [
    "/",
    "a",
    "b",
    "ab",
    "api",
    "API",
    "A",
    "%25",
    "x.jpg",
    ".",
    "..",
    "%2f",
    "%2e",
    "%20",
    "%0a",
    "é",
    "%e9",
    "?",
    "#",
    "//",
    "+",
    ";",
    "\\",
    "%23",
    "%3f",
    "/./",
    "/../",
]
BROKEN = ["%", "%4", "%00", "\x01", " "]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def path(self):
        return "/" + "/".join(self.random.choices(NAMES, k=self.random.randint(0, 3))) + self.random.choice(["", "/"])

    def location(self, depth, parent):
        modifier = self.random.choice(["=", "", "^~", "~", "~*"])
        expression = modifier.startswith("~")
        pattern = self.random.choice(EXPRESSIONS) if expression else self.path()
        if parent is not None and not expression:
            pattern = parent + self.random.choice(["a", "/a", "b", "/", "", "a/"])
        entry = {"modifier": modifier, "pattern": pattern}
        if not expression and self.random.random() < 0.25:
            entry["passes"] = True
        if depth < 2 and modifier != "=" and self.random.random() < 0.3:
            entry["locations"] = [self.location(depth + 1, pattern) for number in range(self.random.randint(1, 3))]
        return entry

    def accepted(self):
        """A list without what nginx would refuse."""
        given = [self.location(0, None) for number in range(self.random.randint(1, 7))]
        while True:
            refusals = read_locations(given)[1]
            if not refusals:
                return given
            level = given
            for number in refusals[0].place[:-1]:
                level = level[number]["locations"]
            del level[refusals[0].place[-1]]

    def target(self, number):
        chance = self.random.random()
        pieces = self.random.choices(PIECES, k=self.random.randint(0, 7))
        if chance < 0.05:
            pieces.append(self.random.choice(BROKEN))
        start = "/"
        if chance > 0.95:
            start = self.random.choice(["http://s{0}/", "HTTP://s{0}:80/", "http://s{0}", "http://s{0}?", "", "*", "x:x", "http://s{0}:/"]).format(number)
        # More letters would make it another host.
        return start if start.endswith("s{0}".format(number)) else start + "".join(pieces)


@pytest.mark.parametrize("merge_slashes", [True, False])
def test_generated_locations_answer_as_nginx_does(tmp_path, merge_slashes):
    generator = Generator(26 + merge_slashes)
    lists = [generator.accepted() for number in range(LISTS)]
    answered = 0
    with nginx_serving(tmp_path, lists, merge_slashes) as ask:
        for number, locations in enumerate(lists):
            dead = [problem["rule"] for problem in nginx_problems(locations, merge_slashes) if problem["kind"] == "dead"]
            for target in [generator.target(number) for time in range(TARGETS)]:
                place, path = ask(number, target)
                assert nginx_location(locations, target, merge_slashes) == place, (locations, target)
                assert path is None or nginx_path(target, merge_slashes) == path, target
                assert place is None or place not in dead, (locations, target)
                answered += place is not None
    # Else the lists and targets say nothing.
    assert answered > LISTS * TARGETS // 4


REFUSED = [
    [{"pattern": "/x"}, {"modifier": "^~", "pattern": "/x"}],
    [{"modifier": "=", "pattern": "/x"}, {"modifier": "=", "pattern": "/x"}],
    [{"modifier": "~^", "pattern": "/x"}],
    [{"modifier": "==", "pattern": "/x"}],
    [{"modifier": "=", "pattern": "/x", "locations": [{"pattern": "/x/y"}]}],
    [{"pattern": "@x", "locations": [{"pattern": "@x/y"}]}],
    [{"pattern": "/x", "locations": [{"pattern": "@y"}]}],
    [{"pattern": "/x", "locations": [{"pattern": "/y"}]}],
    [{"modifier": "~", "pattern": "^/x", "locations": [{"pattern": "/x"}]}],
    *[
        [{"modifier": "~", "pattern": pattern}]
        for pattern in ("(", "a)", "[a", "*", "a**", "^*", "(?P<n", "[z-a]", "[[:foo:]]", "[:alpha:]", "a{3,2}", r"\y", "(?<n>a)(?<n>b)", r"(a)\2", "\\")
        + ("(?<=a*)b", r"\k<n>(a)", r"(a)\g{-2}")
    ],
]
ACCEPTED = [
    [{"pattern": "@x"}, {"pattern": "@x"}],
    [{"pattern": "/x"}, {"modifier": "=", "pattern": "/x"}],
    [{"modifier": "~", "pattern": "/x"}, {"modifier": "~", "pattern": "/x"}],
    [{"pattern": "x"}, {"pattern": "/a//b"}, {"modifier": "=", "pattern": "@x"}, {"pattern": "=/y"}, {"pattern": "^~/z"}, {"pattern": "~*z$"}],
    [
        {
            "modifier": "~",
            "pattern": "^/x",
            "locations": [{"pattern": "^/xa"}, {"modifier": "~", "pattern": "b", "locations": [{"modifier": "~", "pattern": "c"}]}],
        }
    ],
    # Nobody looks for duplicates where nobody looks for prefixes.
    [{"modifier": "~", "pattern": "/x", "locations": [{"pattern": "/xa"}, {"pattern": "/xa"}]}],
    *[
        [{"modifier": "~", "pattern": pattern}]
        for pattern in ("a++", "(?>a)", "(?<=a)b", r"(a)\1", "[]a]", "(?|a|b)", "{3", "a{,", r"\Qa", "(?#x)a", "a}", "(?i)a", "]")
        + (r"\k<n>(?<n>a)", r"(a)\g{-1}", "(?<=a|bc)d", r"(a)\10", "(?|(?<n>a)|(?<n>b))", "(?P<n>a)(?P=n)", "(?<=(?=a+)b)c")
    ],
]


def test_what_nginx_refuses_is_invalid_and_nothing_else(tmp_path):
    with nginx_judging(tmp_path) as judge:
        for locations in REFUSED + ACCEPTED:
            refused = judge(config_of([locations]))
            invalid = [problem["message"] for problem in nginx_problems(locations) if problem["kind"] == "invalid"]
            assert bool(refused) == bool(invalid) == (locations in REFUSED), (locations, refused, invalid)
            if refused and "pcre2" not in refused:
                reason = invalid[0].partition("nginx refuses it: ")[2].partition(". Remedy:")[0]
                assert reason in refused, (reason, refused)
