# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML that people and both versions of YAML read alike.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import sys
import typing as t

import yaml

# Unquoted only where neither YAML 1.1 nor 1.2 could see anything but text:
# it starts with a letter, _ or /, or is a number with a unit (5s, 512M).
_PLAIN = re.compile(r"[A-Za-z_/](?:[^:#\x00-\x1f\x7f-\x9f]|:(?! |$)|(?<! )#)*|[1-9][0-9]*(?:ms|[smhkKMGTbB])", re.ASCII)
_PLAIN_ARGUMENT = re.compile(r"[A-Za-z_/][\w./@%+=-]*", re.ASCII)
_WORDS = frozenset("true false yes no on off y n null none nan inf".split())
_ARGV = ("command", "entrypoint", "test")


class _Argv(list):
    """A command line, written on one line as people do."""


class _Argument(str):
    """One element of it."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: t.Any) -> bool:
        return True


def _represent_text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    plain = _PLAIN_ARGUMENT if isinstance(value, _Argument) else _PLAIN
    if not isinstance(value, _Argument) and _is_block(value):
        style = "|"
    elif plain.fullmatch(value) and value.lower() not in _WORDS:
        style = None
    else:
        style = "'" if re.search(r'["\\]', value) and re.fullmatch(r"[\x20-\x7e]+", value) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _is_block(value: str) -> bool:
    # Leading space would need an indentation indicator, which readers disagree about.
    return "\n" in value and value[0] not in " \n" and not re.search(r" (\n|$)|[^\n\x20-\x7e\xa0-\ud7ff]", value)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(_Argument, _represent_text)
_Dumper.add_representer(_Argv, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True))


def yaml_text(document: t.Any) -> str:
    """The document in its own key order; reading it gives the document back."""
    return yaml.dump(_with_argv(document), Dumper=_Dumper, sort_keys=False, width=sys.maxsize, allow_unicode=True, indent=2)


def compose_text(document: t.Dict[str, t.Any]) -> str:
    """A Compose document with air between its sections and services."""
    sections = []
    for key, value in document.items():
        if key == "services":
            services = [re.sub(r"(?m)^(?=.)", "  ", yaml_text({name: item})) for name, item in value.items()]
            sections.append("services:\n" + "\n".join(services))
        else:
            sections.append(yaml_text({key: value}))
    return "\n".join(sections)


def _with_argv(value: t.Any, key: str = "") -> t.Any:
    if isinstance(value, dict):
        return {name: _with_argv(item, name) for name, item in value.items()}
    if isinstance(value, list):
        if key in _ARGV and all(isinstance(item, str) and "\n" not in item for item in value):
            return _Argv(_Argument(item) for item in value)
        return [_with_argv(item) for item in value]
    return value
