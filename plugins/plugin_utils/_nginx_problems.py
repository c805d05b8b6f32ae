# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is invalid, dead or not meant among the locations of an nginx server.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote, unquote

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils import _nginx_location as choice
from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_location_list import Location, read_locations, shown
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_regions import Region, regions
from ansible_collections.portside.stack.plugins.plugin_utils._regex_habits import Ask, asking, habits
from ansible_collections.portside.stack.plugins.plugin_utils._regex_machine import TooCostly
from ansible_collections.portside.stack.plugins.plugin_utils._regex_pcre import parse_pcre
from ansible_collections.portside.stack.plugins.plugin_utils._regex_search import Question, Searcher

Problem = t.Dict[str, t.Any]
MOST_COVERING = 5
_ROOTED = parse_pcre("^/", False).node
_RESOLVED = parse_pcre(r"/\.\.?(/|\z)", False).node
_DOUBLE = parse_pcre("//", False).node
_ANY = ((1, tree.BYTE),)
_NO_LINE_END = ((1, 9), (11, tree.BYTE))
# What a plain prefix has that is meant as something else, how to write it instead, and a regular expression of what is meant.
_LITERAL: t.Tuple[t.Tuple[t.Pattern[str], str, t.Callable[[str], str]], ...] = (
    (
        re.compile(r"^\^|\$$|\.\*|\\.|\[.*\]|\(.*\|.*\)"),
        "it looks like a regular expression, but is compared as plain text. Write ~ before it.",
        lambda name: name,
    ),
    (
        re.compile(r"\*"),
        "its star is an ordinary character, so it only takes paths with a star in them. Leave it out: a prefix takes all that begins with it.",
        lambda name: r"\A\Q" + name.replace("*", r"\E.*\Q"),
    ),
    (
        re.compile("%[0-9A-Fa-f]{2}"),
        "it is compared with the decoded path, so its % is an ordinary character. Write the character itself.",
        lambda name: r"\A\Q" + unquote(name, errors="surrogateescape"),
    ),
    (
        re.compile(r"\?"),
        "its question mark is compared with the path, which never has a query. Write only the path.",
        lambda name: r"\A\Q" + name.partition("?")[0],
    ),
)


def nginx_problems(locations: t.Any, merge_slashes: bool = True) -> t.List[Problem]:
    """Every problem of the locations, in their order. Total on any input."""
    read, refusals = read_locations(locations)
    found = [_problem(refusal.place, "invalid", choice.refused_text(refusal)) for refusal in refusals]
    judge = _Judge(read, merge_slashes)
    for location in _all(read):
        found.extend(judge.problems(location))
    return [entry for place, entry in sorted(found, key=lambda pair: pair[0])]


def _problem(place: t.Tuple[int, ...], kind: str, message: str, example: str = "") -> t.Tuple[t.Tuple[int, ...], Problem]:
    rule = None if not place else place[0] if len(place) == 1 else list(place)
    return place, {"rule": rule, "kind": kind, "message": message, "example": example}


def _all(locations: t.Iterable[Location]) -> t.Iterator[Location]:
    for location in locations:
        yield location
        yield from _all(location.inner)
        yield from _all(location.asleep)


def named(location: Location) -> str:
    return "{0} ({1})".format(shown(location.place), " ".join(part for part in (location.modifier, location.name) if part))


class _Judge:
    def __init__(self, locations: t.Sequence[Location], merge_slashes: bool) -> None:
        self.locations = locations
        self.never = [_RESOLVED] + ([_DOUBLE] if merge_slashes else [])
        self.searcher = Searcher()
        self.regions = list(regions(locations))

    def problems(self, location: Location) -> t.Iterator[t.Tuple[t.Tuple[int, ...], Problem]]:
        if location.kind == "named":
            twin = next((other for other in self.locations if other.name == location.name and other.kind == "named"), location)
            if twin is not location:
                yield _problem(location.place, "suspicious", "{0}: {1} has the same name. Rename one of them.".format(named(location), shown(twin.place)))
            return
        if location.unknown and not self._answers(location):
            message = "{0}: what it matches cannot be decided here, because {1}. Ask nginx itself about it.".format(named(location), location.unknown)
            yield _problem(location.place, "suspicious", message)
        dead = self._dead(location)
        if dead and (not location.unknown or dead[1]["kind"] == "dead"):
            yield dead
        for message, example in self._suspicions(location):
            yield _problem(location.place, "suspicious", "{0}: {1}".format(named(location), message), example)

    def _suspicions(self, location: Location) -> t.Iterator[t.Tuple[str, str]]:
        ask = asking(self._find, spelled)
        if location.kind == "regex":
            if not location.unknown:
                yield from habits(location.node, location.name, ask, letters=False, anchor=len(location.place) == 1)
            return
        for looks, message, meant in _LITERAL:
            if looks.search(location.name):
                yield message, _expected(meant(location.name), location, ask)
                return

    def _find(self, takes: t.Sequence[tree.Node], leaves: t.Sequence[tree.Node], alphabet: tree.Ranges = _ANY) -> t.Optional[bytes]:
        needed: t.List[tree.Node] = []
        while True:
            found = self.searcher.find(Question([_ROOTED, *takes], [*self.never, *needed], alphabet, (_DOUBLE,)))
            # Most leaves take no part in the answer, but all of them would take part in the work.
            taker = found and next((node for node in leaves if self.searcher.matches(node, found)), None)
            if not taker:
                return None if found is None else bytes(found)
            needed.append(taker)

    def _dead(self, location: Location) -> t.Optional[t.Tuple[t.Tuple[int, ...], Problem]]:
        mine = self._regions(location)
        if not mine:
            message = "{0}: nginx asks no location in a regular expression but regular expressions. Move it out, or make it one.".format(named(location))
            return _problem(location.place, "dead", message)
        try:
            if any(self._path(region, _NO_LINE_END) for region in mine):
                return None
            # Dots take no line ends, and a dollar leaves one: what is left by them alone is not what the location is for.
            left = next(filter(None, (self._path(region) for region in mine)), None)
            alphabet = _NO_LINE_END if left else _ANY
            if any(self._path(region, alphabet, unknown=False) for region in mine):
                if self._answers(location, unknown=False):
                    return None
                message = "{0}: whether any request comes to it cannot be decided, because expressions before it cannot.".format(named(location))
                return _problem(location.place, "suspicious", message + " Ask nginx itself.")
            taken, example = self._covering(location, alphabet)
        except TooCostly:
            message = "{0}: whether any request comes to it takes too much work to decide. Write simpler expressions.".format(named(location))
            return _problem(location.place, "suspicious", message)
        if left:
            message = "{0}: only paths with a line end such as {1} come to it, because {2} all others. {3}"
            told = _problem(location.place, "suspicious", message.format(named(location), spelled(left), _before(taken), _remedy(location)), spelled(left))
            return told if taken else None
        if not taken:
            message = "{0}: no request has such a path: nginx begins it with /, decodes it, merges slashes and resolves . and .. . Correct or remove it."
            return _problem(location.place, "dead", message.format(named(location)))
        message = "{0}: no request comes to it, because {1} all of its paths: {2} is answered by {3}. {4}".format(
            named(location), _before(taken), example, shown(taken[0].place), _remedy(location)
        )
        return _problem(location.place, "dead", message, example)

    def _regions(self, location: Location) -> t.List[Region]:
        return [region for region in self.regions if region.answer is location or (region.answer and _within(region.answer, location))]

    def _answers(self, location: Location, unknown: bool = True) -> bool:
        """Whether some request is found that comes to it for certain."""
        for region in self._regions(location):
            try:
                path = self._path(region, unknown=unknown)
                answer = None if path is None else choice.location_answering(self.locations, path)
            except (TooCostly, StackError):
                continue
            if answer is not None and (answer is location or _within(answer, location)):
                return True
        return False

    def _path(self, region: Region, alphabet: tree.Ranges = _ANY, unknown: bool = True) -> t.Optional[bytes]:
        leaves = [location.node for location in region.leaves if unknown or not location.unknown]
        return self._find([location.node for location in region.takes], leaves, alphabet)

    def _covering(self, location: Location, alphabet: tree.Ranges) -> t.Tuple[t.List[Location], str]:
        """The locations that answer what this one would, and one such path."""
        taken: t.List[Location] = []
        example = ""
        while len(taken) <= MOST_COVERING:
            path = self._find([location.node], [other.node for other in taken], alphabet)
            other = None if path is None else choice.location_taking(self.locations, path)
            if path is None or other is None or other in taken:
                break
            taken.append(other)
            example = example or spelled(path)
        return taken, example


def _within(location: Location, outer: Location) -> bool:
    return len(location.place) > len(outer.place) and location.place[: len(outer.place)] == outer.place


def _before(taken: t.Sequence[Location]) -> str:
    covering = " and ".join(named(other) for other in taken[:MOST_COVERING]) + (" and others" if len(taken) > MOST_COVERING else "")
    return "{0} before it in nginx's order {1}".format(covering, "takes" if len(taken) == 1 else "take")


def _expected(meant: str, location: Location, ask: Ask) -> str:
    """A path that the location is meant to take, and does not."""
    try:
        return ask([parse_pcre(meant, False).node], [location.node]) or ""
    except tree.BadRegex:
        return ""


def _remedy(location: Location) -> str:
    if location.kind == "regex":
        return "Move it above the regular expressions that take them, take ^~ from the prefixes that do, or remove it."
    return "Write ^~ before it if it is to answer them, narrow the regular expressions, or remove it."


def spelled(path: bytes) -> str:
    """The path as a request has it."""
    return quote(path, safe="/-_.~!$&'()*+,;=:@")
