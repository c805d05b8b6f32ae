# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of the declared checks.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown


def check_problems(report: Report, stack: model.Mapping) -> None:
    """Judges each check by itself, and their names among each other."""
    seen: t.Set[str] = set()
    for index, check in enumerate(model.sequence(stack.get("checks"))):
        where = "checks[{0}]".format(index)
        if not isinstance(check, dict):
            report.add(where, "value {0} is not a mapping; write {{name: ..., url: ...}}".format(shown(check)))
            continue
        check = model.mapping(check)
        name = check.get("name")
        if not isinstance(name, str) or not name:
            report.add(where, "it has no name; add name: ...")
        elif name in seen:
            report.add(where, "two checks are named {0!r}; rename one".format(name))
        seen.add(str(name))
        if not _is_url(check.get("url")):
            report.add(where, "url {0} cannot be asked; write http://127.0.0.1:8000/health".format(shown(check.get("url"))))
        for key, value in check.items():
            if key not in _OPTIONS and key not in ("name", "url"):
                report.unknown(where, key, ("name", "url", *_OPTIONS), "a key of a check", "use name, url, " + ", ".join(_OPTIONS))
            elif key in _OPTIONS and not _OPTIONS[key][0](value):
                report.add(where, "{0} {1} is not {2}".format(key, shown(value), _OPTIONS[key][1]))


def _is_url(url: t.Any) -> bool:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        return bool(parts and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0) and "@" not in parts.netloc
    except ValueError:
        return False


def _is_status(value: t.Any) -> bool:
    return not isinstance(value, bool) and bool(re.fullmatch(r"[1-5][0-9]{2}", str(value)))


def _is_seconds(value: t.Any) -> bool:
    try:
        return not isinstance(value, bool) and 0 < float(value) < float("inf")
    except (TypeError, ValueError):
        return False


def _is_pattern(value: t.Any) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


_OPTIONS: t.Dict[str, t.Tuple[t.Callable[[t.Any], bool], str]] = {
    "status": (_is_status, "an HTTP status; write 200"),
    "timeout": (_is_seconds, "a number of seconds; write 5"),
    "interval": (_is_seconds, "a number of seconds; write 1"),
    "headers": (lambda value: isinstance(value, dict), "a mapping; write {NAME: value}"),
    "body": (_is_pattern, "a regular expression; correct or quote it"),
}
