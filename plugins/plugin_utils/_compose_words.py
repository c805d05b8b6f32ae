# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines as Compose reads them: a text split into words, and `$$` for one `$`.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

_SPACES = " \t\r\n"
_ENDS = ";&|<>"


def words_of(command: t.Any) -> t.Optional[t.List[str]]:
    """The words of a `command` or `entrypoint`, each as one writes it in a list; none where Compose refuses the text."""
    if isinstance(command, str):
        found = _split(command.replace("$$", "$"))
        return None if found is None else escaped(found)
    return [str(word) for word in command]


def escaped(words: t.Iterable[str]) -> t.List[str]:
    """Words that are meant as they are, as Compose has to be told."""
    return [word.replace("$", "$$") for word in words]


def _split(text: str) -> t.Optional[t.List[str]]:
    """As the Go package does it that Compose uses, which is not what a shell does.

    A backslash takes what follows as it is, in double quotes too; the line ends at ; & | < or >; what stands in
    backquotes or $( ) stays together.
    """
    words: t.List[str] = []
    word, begun, backslash = "", False, False
    opened = {letter: False for letter in "\"'`)"}
    for letter in text:
        inside = [other for other in opened if opened[other] and other != letter]
        if backslash:
            word, begun, backslash = word + letter, True, False
        elif letter == "\\" and not opened["'"]:
            backslash = True
        elif letter in ("'", '"') and not set(inside) - {"`"}:
            begun = begun or opened[letter]
            opened[letter] = not opened[letter]
        elif any(opened.values()) and letter in _SPACES + _ENDS:
            word += letter
        elif letter in _SPACES:
            words += [word] if begun else []
            word, begun = "", False
        elif letter in _ENDS:
            # 2>FILE: the number goes with what it redirects.
            begun = begun and not (letter == ">" and word[:1].isdigit() and word[:1].isascii())
            break
        elif letter == "(" and not (opened["'"] or opened['"'] or opened["`"]):
            if opened[")"] or not word.endswith("$"):
                return None
            opened[")"], word = True, word + letter
        else:
            if letter in opened and not inside:
                opened[letter] = not opened[letter]
            word, begun = word + letter, True
    if backslash or any(opened.values()):
        return None
    return words + [word] if begun else words
