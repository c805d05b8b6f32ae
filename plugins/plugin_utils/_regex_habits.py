# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular expressions of paths that say something else than their author meant: each is told only with a path that shows it.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _regex_tree as tree
from ansible_collections.portside.stack.plugins.plugin_utils._regex_machine import TooCostly

# (takes, leaves) -> a path of a request as in a URL; None where there is none, or none that is found soon.
Ask = t.Callable[[t.Sequence[tree.Node], t.Sequence[tree.Node]], t.Optional[str]]
Path = t.TypeVar("Path")


class Finding(t.NamedTuple):
    message: str
    example: str


def asking(find: t.Callable[[t.Sequence[tree.Node], t.Sequence[tree.Node]], t.Optional[Path]], spelled: t.Callable[[Path], str]) -> Ask:
    """How a search, which may give up, is asked for examples."""

    def ask(takes: t.Sequence[tree.Node], leaves: t.Sequence[tree.Node]) -> t.Optional[str]:
        try:
            found = find(takes, leaves)
        except TooCostly:
            return None
        return None if found is None else spelled(found)

    return ask


_ENDS = (tree.END, tree.LINE_END, tree.BEFORE_LAST_NEWLINE)


def habits(node: tree.Node, text: str, ask: Ask, letters: bool, anchor: bool = True) -> t.Iterator[Finding]:
    """What is wrong with an expression; with letters, one that begins like "api" counts as a path too; without anchor it may begin anywhere."""
    found: t.List[Finding] = []
    for branch in node[1] if node[0] == "alt" else (node,):
        parts = tree.sequence(branch)
        glob = _glob(parts, ask)
        if glob:
            found.append(glob)
        elif anchor:
            found.extend(_unanchored(parts, ask, letters))
    found.extend(_dots(node, ask))
    found.extend(_undecoded(text))
    return iter(found)


def _undecoded(text: str) -> t.Iterator[Finding]:
    escape = re.search("%[0-9A-Fa-f]{2}", text)
    if escape:
        yield Finding("it has {0}, but what it is compared with is decoded already. Write the character itself.".format(escape.group()), "")
    if re.search(r"\w\\?\?[\w.-]+=", text):
        yield Finding("it has a query behind its question mark, but the query is never compared. Write only the path.", "")
    if text != text.strip() or any(ord(char) < 32 for char in text):
        yield Finding("it has blanks or line ends at its edges, or control characters in it, which have to be in the path too. Remove them.", "")


def _letter(node: tree.Node) -> str:
    """The one character that the node is, in lower case; "" for others."""
    if node[0] != "set" or not node[1] or node[1][-1][1] - node[1][0][0] > 32:
        return "k" if node[0] == "set" and len(node[1]) == 3 and node[1][0] == (75, 75) else ""
    chars = {chr(number).lower() for low, high in node[1] for number in range(low, high + 1)}
    return chars.pop() if len(chars) == 1 else ""


def _begins(node: tree.Node) -> t.Set[str]:
    """The characters that it can begin with; "" among them for anything else than a character."""
    if node[0] == "set":
        return {_letter(node)}
    if node[0] == "alt":
        return set().union(*(_begins(part) for part in node[1]))
    if node[0] == "cat" and node[1]:
        return _begins(node[1][0])
    return _begins(node[1]) if node[0] == "rep" and node[2] > 0 else {""}


def _ends(node: tree.Node) -> bool:
    """Whether it ends with a character that is given."""
    if node[0] == "set":
        return bool(_letter(node))
    if node[0] == "alt":
        return all(_ends(part) for part in node[1])
    return node[0] == "cat" and bool(node[1]) and _ends(node[1][-1])


def _glob(parts: t.Sequence[tree.Node], ask: Ask) -> t.Optional[Finding]:
    plain = parts[1:] if parts and parts[0] == tree.BEGIN else parts
    if not plain:
        return None
    head = plain[0][1] if plain[0][0] == "rep" else plain[0]
    if "/" not in _begins(head) and parts is plain and not _letter(head):
        return None
    last = plain[-1]
    if last[0] == "rep" and last[2:] == (0, None) and _letter(last[1]):
        meant = ("cat", (tree.BEGIN,) + tuple(plain[:-1]) + (last[1],))
        example = ask([("cat", tuple(parts))], [meant])
        return example and Finding(_REPEATS.format(_letter(last[1])), example)
    for number, part in enumerate(plain[:-1]):
        if part[0] == "rep" and part[2:] == (0, None) and _letter(part[1]) and _letter(plain[number + 1]) == "/":
            rest = ("rep", ("set", tree.negated(tree.span("/"), 127)), int(_letter(part[1]) == "/"), None)
            example = ask([("cat", tuple(parts))], [("cat", tuple(plain[:number]) + (part[1], rest) + tuple(plain[number + 1 :]))])
            return example and Finding(_REPEATS.format(_letter(part[1])), example)
    return None


_REPEATS = (
    "it is a regular expression and no glob: its star repeats the {0!r} before it, any number of times or none. "
    "Write ^/name(/|$) for everything at and below /name, and [^/]+ for one part of a path."
)


def _unanchored(parts: t.Sequence[tree.Node], ask: Ask, letters: bool) -> t.Iterator[Finding]:
    if not parts:
        return
    first = _begins(parts[0])
    slash = first == {"/"}
    if not slash and not (letters and all(char.isalnum() for char in first)):
        return
    # Files that begin with a dot are looked for at any depth, and so is what is anchored at its end.
    rest = set().union(*(_second(part) for part in parts[:1])) or (_begins(parts[1]) if len(parts) > 1 else set())
    if slash and rest == {"."} or (len(parts) > 1 and parts[-1] in _ENDS and _ends(parts[-2])):
        return
    example = ask([("cat", tuple(parts))], [("cat", (tree.BEGIN, ("rep", tree.one(0x2F), 0, 1)) + tuple(parts))])
    if example:
        yield Finding("it is not anchored, so it also takes paths that have it further on. Begin it with ^{0}.".format("" if slash else "/"), example)


def _second(node: tree.Node) -> t.Set[str]:
    """What follows the first character within the node."""
    if node[0] == "alt":
        return set().union(*(_second(part) for part in node[1]))
    return _begins(node[1][1]) if node[0] == "cat" and len(node[1]) > 1 else set()


def _dots(node: tree.Node, ask: Ask) -> t.Iterator[Finding]:
    literal = _with_literal_dots(node)
    if literal == node:
        return
    example = ask([node], [literal])
    if example:
        yield Finding("its dot stands for any character. Write \\. for a dot.", example)


def _with_literal_dots(node: tree.Node) -> tree.Node:
    """The same with the dots taken literally that look like those of names: single, and before a letter or digit."""
    if node[0] in ("alt", "cat"):
        parts = list(tree.sequence(node)) if node[0] == "cat" else [_with_literal_dots(part) for part in node[1]]
        if node[0] == "cat":
            parts = [
                tree.one(0x2E) if _is_dot(part) and follows and not _is_dot(before) and _named(follows[0]) else _with_literal_dots(part)
                for before, part, follows in zip([tree.EMPTY] + parts, parts, [parts[number + 1 :] for number in range(len(parts))])
            ]
        return (node[0], tuple(parts))
    if node[0] in ("rep", "look"):
        return (node[0], _with_literal_dots(node[1])) + node[2:]
    return node


def _is_dot(node: tree.Node) -> bool:
    return node[0] == "set" and len(node[1]) in (1, 2) and node[1][0][0] == 0 and node[1][-1][1] in (tree.BYTE, tree.UNICODE)


def _named(node: tree.Node) -> bool:
    first = _begins(node)
    return bool(first) and all(char.isalnum() for char in first)
