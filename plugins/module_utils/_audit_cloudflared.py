# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part `ingress` of a cloudflared configuration, as text: there is no reader of YAML on the host.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

Only lines of keys that rules have leave the host, without comments and without logins in URLs.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._audit_files import Files

Found = t.Dict[str, t.Any]

DIRECTORIES = (".cloudflared", ".cloudflare-warp", "cloudflare-warp")
SYSTEM_DIRECTORIES = ("/etc/cloudflared", "/usr/local/etc/cloudflared")
NAMES = ("config.yml", "config.yaml")
_KEYS = frozenset(
    "hostname path service originRequest connectTimeout tlsTimeout tcpKeepAlive noHappyEyeballs keepAliveConnections keepAliveTimeout httpHostHeader "
    "originServerName matchSNItoHost caPool noTLSVerify disableChunkedEncoding bastionMode proxyAddress proxyPort proxyType ipRules http2Origin access "
    "required teamName audTag environment prefix ports allow".split()
)
_LINE = re.compile(r"( *(?:- +)*)(?:([A-Za-z0-9]+):(?: +|$))?(.*)")
_COMMENT = re.compile(r"(?:^|\s)#.*")
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?:#.*)?""")
_PLAIN_ITEM = re.compile(r"[A-Za-z0-9._:/-]+")
_LOGIN = re.compile(r"//[^/@\s]*@")
# What a value may not begin with: it would go on elsewhere, or stand for something else.
_STRUCTURE = ("|", ">", "&", "*", "[", "{", "!", "?")


class NotUnderstood(Exception):
    """It is not written in the way that is read here."""


def ingress_of(text: str) -> str:
    """The lines of the rules; empty where there are none."""
    kept: t.List[str] = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        if not line[0].isspace() and not line.startswith("-"):
            inside = line.startswith("ingress:")
            if inside and _COMMENT.sub("", line[len("ingress:") :]).strip() not in ("", "[]"):
                raise NotUnderstood("line {0}: the rules are not written as lines below ingress".format(number))
            continue
        if inside:
            kept.append(_line(line.rstrip(), number))
    return "\n".join(["ingress:", *kept]) + "\n" if kept else ""


def _line(line: str, number: int) -> str:
    indent, key, value = _LINE.fullmatch(line.replace("\t", " ")).groups()
    quoted = _QUOTED.fullmatch(value)
    value = quoted.group(1) if quoted else _COMMENT.sub("", value).rstrip()
    known = key in _KEYS if key is not None else bool(indent.strip()) and bool(quoted or _PLAIN_ITEM.fullmatch(value))
    if not known or (value.startswith(_STRUCTURE) and value not in ("[]", "{}")) or (not quoted and value[:1] in ("'", '"')):
        raise NotUnderstood("line {0}: it is not a key of a rule with its value on the same line".format(number))
    return indent + (key + ": " if key is not None else "") + _LOGIN.sub("//", value)


class Told(t.NamedTuple):
    """What a cloudflared was told when it was started."""

    config: str
    token: bool
    url: bool


def told(words: t.Sequence[str]) -> Told:
    """By its command line."""
    options = {}
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        options[name.lstrip("-") if name.startswith("-") else ""] = value if equals else (words[index + 1] if index + 1 < len(words) else "")
    return Told(options.get("config", ""), "token" in options or "token-file" in options, "url" in options)


def read_configs(files: Files, paths: t.Iterable[str]) -> t.Iterator[Found]:
    """The rules of each file that is there; ``problem`` is a sentence where they could not be read."""
    for path in dict.fromkeys(paths):
        found: Found = {"path": path, "ingress": "", "problem": ""}
        try:
            data = files.read(path)
            if data is None:
                continue
            found["ingress"] = ingress_of(data.decode("utf-8", "replace"))
        except (OSError, NotUnderstood) as error:
            found["problem"] = "{0} could not be read: {1}".format(path, getattr(error, "strerror", None) or error)
        yield found
