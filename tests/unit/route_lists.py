# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of routes made by hypothesis, and what the real programs would do with them, written once more."""

from __future__ import annotations

import re

from hypothesis import strategies as st

# Few names, so that routes meet; with what is special: a dot, a space, a character of two bytes.
SEGMENTS = ("a", "b", "ab", "a.b", "é", "a b", "...", "a;")
PARTS = st.lists(st.sampled_from(SEGMENTS), max_size=3)
PATHS = st.builds(lambda parts, end: "/" + "/".join(parts) + (end if parts else ""), PARTS, st.sampled_from(["", "/"]))
WIDE = ("[^/]+", ".*", "[^/]*", "[^a]+", "[\\W\\d]*")
NARROW = ("a", "b", "/", "\\.", "[ab]", "\\w", "[a-c.]", "(?:a|b/)", "(a|ab)", "\\s", "[.;]", ";")
PIECES = st.one_of(
    st.sampled_from(WIDE),
    st.sampled_from(NARROW),
    st.builds("{0}{1}".format, st.sampled_from(NARROW), st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "{0,2}"])),
    st.builds("({0}{1}){2}".format, st.sampled_from(NARROW), st.sampled_from(NARROW + WIDE), st.sampled_from(["", "*", "+", "?", "{1,2}"])),
    st.builds("(?:{0}|{1}{0})".format, st.sampled_from(NARROW), st.sampled_from(NARROW + WIDE)),
)
REGEXES = st.builds(lambda pieces: "/" + "".join(pieces), st.lists(PIECES, min_size=1, max_size=3))
HOSTS = ("example.com", "*.example.com", "www.example.com", "*.www.example.com", "other.test")
KINDS = st.one_of(
    st.builds(lambda path: {"exact": path}, PATHS),
    st.builds(lambda path: {"prefix": path}, PATHS),
    st.builds(lambda path: {"prefix": path}, PATHS),
    st.builds(lambda regex: {"regex": regex}, REGEXES),
)


def route_lists(hosts=(None,), most=6):
    """Lists as they are declared: each route leads to a service of its own."""
    entries = st.lists(st.tuples(KINDS, st.sampled_from(hosts)), min_size=1, max_size=most)
    return entries.map(
        lambda found: [dict(kind, service="s{0}".format(index), port=8000, **({"host": host} if host else {})) for index, (kind, host) in enumerate(found)]
    )


# Raw targets as clients send them: what is decoded, what is refused, what is neither.
GOOD = ("a", "b", "ab", "a.b", "%61", "%C3%A9", "é", "%20", "a;x", ";", "...", "A", "%25", "%3f", "%23", "a" * 300)
RAW = (*GOOD, *GOOD, ".", "..", "%2e", "%2F", "", "%", "%00", "#", "..;", ".%3bx", ";x", "\\", "%5c", "%FF", "%C0%AF")
TARGETS = st.builds(
    lambda parts, end, query: "/" + "/".join(parts) + end + query,
    st.lists(st.sampled_from(RAW), max_size=4),
    st.sampled_from(["", "/"]),
    st.sampled_from(["", "?", "?x=/../%2f"]),
)


def chosen_by_nginx(locations, path):
    """nginx's choice for a decoded path, as its documentation has it."""
    for one in locations:
        if one.modifier == "=" and one.pattern == path:
            return one
    trees = [one for one in locations if one.modifier in ("", "^~")]
    longest = max((one for one in trees if path.startswith(one.pattern)), key=lambda one: len(one.pattern), default=None)
    # A tree without its slash would be a redirect.
    assert not any(one.pattern == path + "/" for one in trees)
    if longest is None or longest.modifier == "":
        for one in locations:
            if one.modifier == "~" and re.fullmatch(one.pattern.encode(), path.encode("utf-8", "surrogateescape")):
                return one
    return longest
