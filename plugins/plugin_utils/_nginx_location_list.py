# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The locations of an nginx server, read as nginx reads them, with everything that it refuses.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree
from ansible_collections.portside.stack.plugins.plugin_utils._regex_pcre import Pattern, parse_pcre

KEYS = ("modifier", "pattern", "locations", "passes")
_MODIFIERS = ("=", "^~", "~", "~*")
DEEPEST = 20


class Location(t.NamedTuple):
    """One of them. nginx builds no tree of the prefixes within a regular expression, so it never finds those (measured with 1.26)."""

    place: t.Tuple[int, ...]  # its position in the list, behind those of the locations it stands in
    kind: str  # exact | prefix | regex | named
    modifier: str
    name: str
    stops: bool  # ^~: no regular expression is asked
    passes: bool  # a prefix that ends in a slash and hands requests on: the path without the slash is redirected
    pattern: Pattern  # the paths it takes
    inner: t.Tuple[t.Any, ...] = ()  # the locations in it that nginx asks
    asleep: t.Tuple[t.Any, ...] = ()  # those in it that it never does: in a regular expression, all but regular expressions

    @property
    def node(self) -> tree.Node:
        """The paths it takes, and perhaps more."""
        return self.pattern.node

    @property
    def unknown(self) -> str:
        """Why they are more."""
        return self.pattern.unknown


class Refusal(t.NamedTuple):
    place: t.Tuple[int, ...]
    message: str


def shown(place: t.Sequence[int]) -> str:
    """The position as messages write it."""
    return ".".join("locations[{0}]".format(number) for number in place)


def read_locations(given: t.Any) -> t.Tuple[t.List[Location], t.List[Refusal]]:
    """The locations that nginx would accept, and why not the others. Total on any input."""
    refusals: t.List[Refusal] = []
    found = _level(given, (), None, refusals)
    return found, refusals


def _level(given: t.Any, above: t.Tuple[int, ...], parent: t.Optional[Location], refusals: t.List[Refusal]) -> t.List[Location]:
    if not isinstance(given, list):
        refusals.append(Refusal(above, "The locations are not a list. Give a list of mappings with the keys modifier and pattern."))
        return []
    if len(above) >= DEEPEST:
        refusals.append(Refusal(above, "More than {0} levels of locations are not understood. Take the nested ones apart.".format(DEEPEST)))
        return []
    found: t.List[Location] = []
    taken: t.Dict[t.Tuple[str, str], Location] = {}
    for number, entry in enumerate(given):
        place = above + (number,)
        try:
            location = _location(entry, place, parent)
            # nginx looks for duplicates only among the prefixes that it asks.
            alone = location.kind in ("regex", "named") or (parent is not None and parent.kind == "regex")
            first = location if alone else taken.setdefault((location.kind, location.name), location)
            if first is not location:
                raise _refused('duplicate location "{0}"'.format(location.name), "{0} is the same to nginx: remove one of them".format(shown(first.place)))
        except tree.BadRegex as error:
            refusals.append(Refusal(place, str(error)))
            continue
        nested = _level(entry.get("locations") or [], place, location, refusals)
        asked = [inner for inner in nested if location.kind != "regex" or inner.kind == "regex"]
        found.append(location._replace(inner=tuple(asked), asleep=tuple(inner for inner in nested if inner not in asked)))
    return found


def _refused(reason: str, remedy: str) -> tree.BadRegex:
    return tree.BadRegex("nginx refuses it: {0}. Remedy: {1}.".format(reason, remedy))


def _location(entry: t.Any, place: t.Tuple[int, ...], parent: t.Optional[Location]) -> Location:
    if not isinstance(entry, dict):
        raise tree.BadRegex("It is not a mapping. Give the keys modifier and pattern.")
    unknown = sorted(str(key) for key in entry if key not in KEYS)
    if unknown:
        raise tree.BadRegex("It has the unknown key {0!r}. Known are: {1}.".format(unknown[0], ", ".join(KEYS)))
    modifier, name = entry.get("modifier"), entry.get("pattern")
    modifier = "" if modifier is None else modifier
    if not isinstance(name, str) or not isinstance(modifier, str):
        key = "modifier" if isinstance(name, str) else "pattern"
        raise tree.BadRegex("Its key {0!r} is not a text, but {1!r}. Write it in quotes.".format(key, entry.get(key)))
    if "\0" in name or not isinstance(entry.get("passes", False), bool):
        raise tree.BadRegex("A pattern cannot hold a zero byte, and passes is true or false. Correct it.")
    kind, modifier, name = _kind(modifier, name)
    if parent is not None:
        _judge_nesting(kind, name, parent)
    passes = bool(entry.get("passes")) and kind in ("exact", "prefix") and name.endswith("/")
    return Location(place, kind, modifier, name, modifier == "^~", passes, _pattern(kind, modifier, name))


def _kind(modifier: str, name: str) -> t.Tuple[str, str, str]:
    """What nginx sees in the words: a modifier may also be written to the pattern without a space."""
    if not modifier:
        modifier = next((known for known in ("=", "^~", "~*", "~") if name.startswith(known)), "")
        name = name[len(modifier) :]
        if not modifier and name.startswith("@"):
            return "named", modifier, name
    elif modifier not in _MODIFIERS:
        raise _refused('invalid location modifier "{0}"'.format(modifier), "it is one of {0}, or none for a plain prefix".format(", ".join(_MODIFIERS)))
    return {"=": "exact", "~": "regex", "~*": "regex"}.get(modifier, "prefix"), modifier, name


def _pattern(kind: str, modifier: str, name: str) -> Pattern:
    if kind == "regex":
        try:
            return parse_pcre(name, modifier == "~*")
        except tree.BadRegex as error:
            raise _refused('pcre2_compile() failed: {0} in "{1}"'.format(error, name), "correct the regular expression") from error
    letters = tree.text_node(name.encode("utf-8", "surrogateescape"))
    return Pattern(("cat", (tree.BEGIN, letters) + ((tree.END,) if kind == "exact" else ())))


def exact(name: str, place: t.Tuple[int, ...] = ()) -> Location:
    """A location for just that path, which is in no list."""
    return Location(place, "exact", "=", name, False, False, _pattern("exact", "=", name))


def _judge_nesting(kind: str, name: str, parent: Location) -> None:
    if parent.kind in ("exact", "named"):
        raise _refused(
            'location "{0}" cannot be inside the {1} location "{2}"'.format(name, parent.kind, parent.name),
            "move it out of it",
        )
    if kind == "named":
        raise _refused('named location "{0}" can be on the server level only'.format(name), "move it there")
    # nginx compares with the text of the outer location, even where that is a regular expression.
    if kind != "regex" and not name.startswith(parent.name):
        raise _refused('location "{0}" is outside location "{1}"'.format(name, parent.name), "move it out, or begin it like the outer one")
