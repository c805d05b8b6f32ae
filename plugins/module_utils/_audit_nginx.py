# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers and locations of an nginx configuration, with what it includes. No other word of it is kept.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._audit_files import Files, matching
from ansible_collections.portside.stack.plugins.module_utils._audit_nginx_syntax import BadConfig, Directive, parse

Found = t.Dict[str, t.Any]

_MOST_FILES = 500
_DEEPEST = 20
# With one of these in a location whose name ends in a slash, nginx redirects the path without it.
_PASSES = frozenset(kind + "_pass" for kind in "proxy fastcgi uwsgi scgi memcached grpc".split())
_MASTER = re.compile(r"nginx: master process\s*(.*)")


def entry_of(title: str) -> t.Optional[str]:
    """The configuration that an nginx says it runs with, by its process's title; empty for its usual one, none where it is no master."""
    found = _MASTER.match(title)
    if found is None:
        return None
    words = found.group(1).split()
    options = dict(zip(words, words[1:]))
    path = options.get("-c", "")
    # Without a prefix a relative path begins where nginx was built to begin, which nobody tells.
    return posixpath.join(options.get("-p", "/etc/nginx"), path) if path else ""


def read_nginx(files: Files, path: str) -> Found:
    """The servers of a configuration; ``problems`` are sentences on what of it could not be read."""
    reader = _Reader(files, posixpath.dirname(path))
    directives = reader.file(path, 0)
    servers = []
    for http in directives:
        if http.name == "http" and http.block is not None:
            merging = _last(http.block, "merge_slashes", "on")
            servers += [_server(one, merging) for one in http.block if one.name == "server" and one.block is not None]
    return {"path": path, "servers": servers, "problems": reader.problems}


class _Reader:
    def __init__(self, files: Files, home: str) -> None:
        self._files, self._home = files, home
        self._count = 0
        self.problems: t.List[str] = []

    def file(self, path: str, depth: int) -> t.List[Directive]:
        self._count += 1
        if depth > _DEEPEST or self._count > _MOST_FILES:
            self._problem("{0}: too many files include each other".format(path))
            return []
        try:
            data = self._files.read(path)
        except OSError as error:
            self._problem("{0} could not be read: {1}".format(path, error.strerror or error))
            return []
        if data is None:
            self._problem("{0} is not there".format(path))
            return []
        try:
            return self._included(parse(data.decode("utf-8", "surrogateescape"), path), depth)
        except BadConfig as error:
            self._problem(str(error))
            return []

    def _included(self, directives: t.Iterable[Directive], depth: int) -> t.List[Directive]:
        """The directives, with the files that they include in the place of that."""
        found: t.List[Directive] = []
        for one in directives:
            if one.name == "include" and one.block is None and one.args:
                for path in self._paths(one.args[0]):
                    found += self.file(path, depth + 1)
            elif one.block is not None:
                found.append(one._replace(block=self._included(one.block, depth)))
            else:
                found.append(one)
        return found

    def _paths(self, given: str) -> t.List[str]:
        path = posixpath.normpath(posixpath.join(self._home, given))
        if not any(char in path for char in "*?["):
            # Types of files by their name, whatever else: no location is in there.
            return [] if posixpath.basename(path) == "mime.types" else [path]
        try:
            return matching(self._files, path)
        except OSError as error:
            self._problem("{0} could not be listed: {1}".format(path, error.strerror or error))
            return []

    def _problem(self, sentence: str) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)


def _server(server: Directive, merging: str) -> Found:
    block = server.block or []
    return {
        "names": [_text(word) for one in block if one.name == "server_name" for word in one.args],
        "listens": [_text(one.args[0]) for one in block if one.name == "listen" and one.args],
        "merge_slashes": _last(block, "merge_slashes", merging) != "off",
        "file": server.file,
        "line": server.line,
        "locations": _locations(block),
    }


def _locations(block: t.Iterable[Directive]) -> t.List[Found]:
    found = []
    for one in block:
        if one.name == "location" and one.args and one.block is not None:
            location: Found = {"pattern": _text(one.args[-1])}
            if len(one.args) > 1:
                location["modifier"] = _text(one.args[0])
            if any(inner.name in _PASSES for inner in one.block):
                location["passes"] = True
            inner = _locations(one.block)
            if inner:
                location["locations"] = inner
            found.append(location)
    return found


def _last(block: t.Iterable[Directive], name: str, default: str) -> str:
    return next((one.args[0] for one in block if one.name == name and one.args), default)


def _text(word: str) -> str:
    """The word as JSON can hold it."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
