# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a container's inspection looks like a secret: where, and under which name. Values stay here.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

Found = t.List[t.Dict[str, str]]

_WORDS = frozenset("PASSWORD PASSWD PASS PASSPHRASE PWD PW SECRET SECRETS TOKEN APIKEY CREDENTIAL CREDENTIALS AUTHKEY AUTHTOKEN REQUIREPASS PGPASSWORD".split())
# A key is a secret by what stands before it: GPG_KEY, PUBLIC_KEY and SORT_KEY are none.
_KEYS = frozenset("API SECRET PRIVATE ACCESS ENCRYPTION SIGNING SIGNATURE MASTER JWT AUTH APP CRYPT SESSION SERVICE STORAGE ADMIN LICENSE ACCOUNT HMAC".split())
# What stands last in names that speak of a secret and hold none, such as TOKEN_EXPIRE_MINUTES.
_ABOUT = frozenset(
    "ALG ALGORITHM ALLOWED ARN AUDIENCE BACKEND CLASS COOKIE COUNT DAYS DIR DIRECTORY ENABLED ENDPOINT ENV EXPIRATION EXPIRE EXPIRES EXPIRY FIELD FILE HASHERS "
    "HEADER HOST HOURS ID INTERVAL ISSUER LENGTH LIFETIME LIMIT MAX METHOD MIN MINUTES NAME ONLY PARALLELISM PATH POLICY PORT PREFIX PROVIDER REGEX REGION "
    "REQUIRED RESET ROTATION ROUNDS SECONDS TIMEOUT TTL TYPE URI URL USER USERNAME VALIDATION VALIDATOR VALIDATORS VERSION".split()
)
_SEGMENTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# Nothing is behind them: a switch, a reference to another variable, or what is put in when the container starts.
_NO_VALUE = re.compile(r"(?i)\s*(?:true|false|yes|no|on|off|none|null)?\s*|\$.*|\{\{.*|<.*>")
_URL_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s@:]*:(?!\$)[^/?#\s@]+@")
# A long option with its value, in the same word or in the next, and a variable that is set for a program. Both only as they are usually
# spelled: what is told of a command must not be a value. A short option such as -pVALUE has its value in its name.
_OPTION = re.compile(r"(?<!\S)(--[a-z][a-z0-9-]*|-(?:password|token|secret|apikey|api-key))(?:=|\s+)([^\s;|&]+)")
_ASSIGNMENT = re.compile(r"(?<![^\s;|&'\"(])([A-Z][A-Z0-9_]*)=([^\s;|&=]+)")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_HASHED = re.compile(r"(?i)basic-?auth")


def visible_secrets(config: t.Mapping[str, t.Any]) -> Found:
    """The names of what whoever may run `docker inspect` reads, from the part ``Config`` of an inspection."""
    found: Found = []
    for text in config.get("Env") or ():
        name, _equals, value = str(text).partition("=")
        _add(found, "environment", name, value)
    for name, value in sorted((config.get("Labels") or {}).items()):
        # Compose and others have labels of their own, in which lists of variables may stand.
        if _HASHED.search(str(name)) and not _NO_VALUE.fullmatch(str(value)):
            found.append({"where": "label", "name": _shown(str(name))})
        else:
            _add(found, "label", str(name), str(value))
    for where, words in (
        ("command", [*_list(config.get("Entrypoint")), *_list(config.get("Cmd"))]),
        ("health check", _list((config.get("Healthcheck") or {}).get("Test"))),
    ):
        _add_words(found, where, [str(word) for word in words])
    return [one for number, one in enumerate(found) if one not in found[:number]]


def _list(value: t.Any) -> t.List[t.Any]:
    return [value] if isinstance(value, str) else list(value or ())


def _add(found: Found, where: str, name: str, value: str) -> None:
    if is_secret(name, value):
        found.append({"where": where, "name": _shown(name)})
    elif _URL_LOGIN.search(value):
        found.append({"where": where, "name": "{0} (a password in a URL)".format(_shown(name))})


def _add_words(found: Found, where: str, words: t.Sequence[str]) -> None:
    # A word may be a whole script; options and their values may be two words.
    text = "\n".join(words)
    for pattern in (_OPTION, _ASSIGNMENT):
        for one in pattern.finditer(text):
            if is_secret(one.group(1), one.group(2).strip("'\"")):
                found.append({"where": where, "name": _shown(one.group(1))})
    if _URL_LOGIN.search(text):
        found.append({"where": where, "name": "a password in a URL"})


def is_secret(name: str, value: str) -> bool:
    """Whether that name says that its value is a secret, and there is one."""
    if _NO_VALUE.fullmatch(value):
        return False
    segments = [one.upper() for one in _SEGMENTS.findall(name)]
    if not segments or segments[-1] in _ABOUT or segments in (["PWD"], ["OLDPWD"]):
        return False
    before = zip(segments, segments[1:])
    return any(one in _WORDS for one in segments) or any(last == "KEY" and first in _KEYS for first, last in before)


def _shown(name: str) -> str:
    """A name; what is none could be anything."""
    return name if _PLAIN.fullmatch(name) else "a name that is not shown"
