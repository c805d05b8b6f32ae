# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an edge is to have in its directory: the configuration of its release, and keys with their certificates.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._edge_acme import Certbot
from ansible_collections.portside.stack.plugins.module_utils._edge_certificates import OpenSsl, together, why_renew
from ansible_collections.portside.stack.plugins.module_utils._edge_directory import (
    CERTIFICATES,
    CONFIG,
    EdgeDirectory,
    digest_in,
)
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._secrets import secret_path


class Wanted(t.NamedTuple):
    """A file as it is to be, and why that is not what is there. Without content it has to be had first."""

    content: t.Optional[bytes]
    why: str
    names: t.Tuple[str, ...] = ()


class Material:
    """Of one release's edge, ``record`` being what its definition says; ``release`` is the release's directory."""

    def __init__(
        self,
        stack: str,
        record: t.Mapping[str, t.Any],
        release: str,
        directory: str,
        there: EdgeDirectory,
        certbot: Certbot,
        run: Run,
        fs: FileSystem,
    ) -> None:
        self._stack, self._record, self._release, self._secrets = stack, record, release, os.path.join(directory, "secrets")
        self._there, self._certbot, self._openssl, self._fs = there, certbot, OpenSsl(run), fs
        self._tls: t.Mapping[str, t.Any] = record.get("tls") or {}

    def wanted(self, now: float, check: bool) -> t.Dict[str, Wanted]:
        """All files by name; in check mode a release may still be to be written."""
        found = {CONFIG: self._config(check)}
        for name, one in self._certificates(now, check):
            found["{0}/{1}".format(CERTIFICATES, name)] = one
        return found

    def challenge(self) -> bytes:
        """The configuration that answers challenges, and refuses all else for now."""
        return self._of_release("edge/challenge.conf")

    def self_signed(self, one: Wanted) -> bytes:
        """A certificate that is made here."""
        try:
            return self._openssl.self_signed(list(one.names))
        except StackError as error:
            raise StackError(
                "stack {0}: service {1}: its certificate could not be made: {2}. Remedy: mend that, then run again.".format(
                    self._stack, self._record["service"], str(error).rstrip(".")
                )
            ) from error

    def _config(self, check: bool) -> Wanted:
        there = self._there.read(CONFIG)
        same = digest_in(there) == self._record["config"]
        if check and not self._fs.lstat(os.path.join(self._release, "edge", CONFIG)):
            return Wanted(there if same else None, "" if same else "its configuration changed")
        content = self._of_release("edge/" + CONFIG)
        if content == there:
            return Wanted(content, "")
        return Wanted(content, "nginx.conf was edited" if same else "its configuration changed")

    def _of_release(self, name: str) -> bytes:
        path = os.path.join(self._release, name)
        try:
            return self._fs.read(path)
        except FileNotFoundError:
            raise StackError(
                "stack {0}: {1} is not there, which belongs to the release. Remedy: deploy it from its declaration "
                "again.".format(self._stack, path)
            ) from None

    def _certificates(self, now: float, check: bool) -> t.Iterator[t.Tuple[str, Wanted]]:
        kind = self._tls.get("kind")
        if kind == "self_signed":
            yield self._tls["file"], self._own(now)
        elif kind == "acme":
            yield self._tls["file"], self._asked_for(now)
        elif kind == "files":
            for one in self._tls["certificates"]:
                yield one["file"], self._brought(one, check)

    def _own(self, now: float) -> Wanted:
        names = tuple(self._tls.get("names") or ())
        there = self._there.read(os.path.join(CERTIFICATES, self._tls["file"]))
        if there is None:
            return Wanted(None, "its certificate is to be made", names)
        try:
            why = why_renew(self._openssl.look(there), names, now)
        except StackError:
            why = "cannot be read"
        return Wanted(None, "its certificate {0}".format(why), names) if why else Wanted(there, "", names)

    def _asked_for(self, now: float) -> Wanted:
        found = self._certbot.found(self._tls)
        why = self._certbot.why_not(self._tls, found, now)
        if why:
            return Wanted(None, "its certificate is to be asked for: {0}".format(why))
        return Wanted(found, "" if self._is_there(self._tls["file"], found) else "its certificate changed")

    def _brought(self, one: t.Mapping[str, t.Any], check: bool) -> Wanted:
        """A chain of the release with the key that is a secret."""
        name, version = one["key"]["secret"], one["key"]["version"]
        chain_path = os.path.join(self._release, "edge", CERTIFICATES, one["file"])
        key_path = secret_path(self._secrets, name, version)
        if check and not (self._fs.lstat(chain_path) and self._fs.lstat(key_path)):
            return Wanted(self._there.read(os.path.join(CERTIFICATES, one["file"])) or b"", "")
        chain = self._of_release("edge/{0}/{1}".format(CERTIFICATES, one["file"]))
        where = "stack {0}: service {1}: certificate {2}".format(self._stack, self._record["service"], one["file"])
        try:
            key = self._fs.read(key_path)
        except FileNotFoundError:
            raise StackError(
                "{0}: version {1} of secret {2}, its key, is not on the host. Remedy: deploy the release from its "
                "declaration again.".format(where, version, name)
            ) from None
        content = together(key, chain)
        if self._is_there(one["file"], content):
            return Wanted(content, "")
        self._openssl.judge(where, name, key, chain)
        return Wanted(content, "its certificate {0} changed".format(one["file"]))

    def _is_there(self, name: str, content: t.Optional[bytes]) -> bool:
        return self._there.read(os.path.join(CERTIFICATES, name)) == content
