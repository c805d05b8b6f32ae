# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a service gets a new container: what differs between two rendered definitions of it, in words.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_DIGEST

# What Compose applies without a new container.
_NO_REASON = ("depends_on", "pull_policy", "scale")
_CONFIG = re.compile(r"(?P<name>.+)_(?P<version>[0-9a-f]{12})\Z")
_SECRET = re.compile(r"(?P<name>.+)_v(?P<version>[0-9]+)(?:-.*)?\Z")
Body = t.Mapping[str, t.Any]


def reasons(old: t.Optional[Body], new: Body) -> str:
    """What differs, without any value of the environment; empty when nothing does that calls for a new container."""
    if old is None:
        return "its earlier definition is not known"
    before, after = _relevant(old), _relevant(new)
    differing = sorted(key for key in {*before, *after} if _text(before.get(key)) != _text(after.get(key)))
    # What people look for first is said first.
    ordered = [key for key in _WORDS if key in differing] + [key for key in differing if key not in _WORDS]
    found = []
    for key in ordered:
        words = _WORDS[key](before.get(key), after.get(key)) if key in _WORDS else []
        found += words or ["{0} changed".format(key)]
    return ", ".join(found)


def _relevant(body: Body) -> t.Dict[str, t.Any]:
    kept = {key: value for key, value in body.items() if key not in _NO_REASON}
    kept["labels"] = {key: value for key, value in (body.get("labels") or {}).items() if key != LABEL_DIGEST}
    kept["deploy"] = {key: value for key, value in (body.get("deploy") or {}).items() if key != "replicas"}
    return kept


def _text(value: t.Any) -> str:
    return json.dumps(value, sort_keys=True)


def _image(old: t.Optional[str], new: t.Optional[str]) -> t.List[str]:
    (name, digest), (new_name, new_digest) = _parts(old), _parts(new)
    if name != new_name:
        return ["image {0} -> {1}".format(name, new_name)]
    return ["image {0} moved ({1} -> {2})".format(name, digest or "any", new_digest or "any")]


def _parts(image: t.Optional[str]) -> t.Tuple[str, str]:
    """An image's name and the beginning of its digest; one that has no name is named by its ID."""
    name, _mark, digest = (image or "none").partition("@")
    if name.startswith("sha256:"):
        name = name[len("sha256:") :][:8]
    return name, digest.rpartition(":")[2][:8]


def _environment(old: t.Any, new: t.Any) -> t.List[str]:
    before, after = _pairs(old), _pairs(new)
    names = [name for name in sorted({*before, *after}) if _text(before.get(name, ())) != _text(after.get(name, ()))]
    return ["environment {0} changed".format(", ".join(names))] if names else []


def _pairs(value: t.Any) -> t.Dict[str, t.Any]:
    if isinstance(value, dict):
        return value
    split = [str(item).partition("=") for item in value or ()]
    return {name: text if equals else None for name, equals, text in split}


def _mounted(kind: str, pattern: t.Pattern[str], numbered: bool) -> t.Callable[[t.Any, t.Any], t.List[str]]:
    def words(old: t.Any, new: t.Any) -> t.List[str]:
        before, after = _by_name(old, pattern), _by_name(new, pattern)
        found = []
        for name in sorted({*before, *after}):
            was, now = before.get(name, []), after.get(name, [])
            if not was or not now:
                found.append("{0} {1} {2}".format(kind, name, "removed" if was else "added"))
            elif numbered and was[0][0] != now[0][0]:
                found.append("{0} {1} {2} -> {3}".format(kind, name, was[0][0], now[0][0]))
            elif was != now:
                found.append("{0} {1} changed".format(kind, name))
        return found

    return words


def _by_name(references: t.Any, pattern: t.Pattern[str]) -> t.Dict[str, t.List[t.Tuple[str, str]]]:
    """The references to each file by its declared name: its version, and all else that is said of it."""
    found: t.Dict[str, t.List[t.Tuple[str, str]]] = {}
    for reference in references or ():
        match = pattern.match(reference["source"])
        name, version = match.group("name", "version") if match else (reference["source"], "")
        found.setdefault(name, []).append((version, _text(reference)))
    return found


_WORDS: t.Dict[str, t.Callable[[t.Any, t.Any], t.List[str]]] = {
    "image": _image,
    "configs": _mounted("config", _CONFIG, False),
    "secrets": _mounted("secret", _SECRET, True),
    "environment": _environment,
}
