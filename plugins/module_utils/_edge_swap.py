# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has a running edge serve other files: judged before, verified afterwards, and the old ones back where that fails.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._edge_certificates import chain_of, is_address
from ansible_collections.portside.stack.plugins.module_utils._edge_directory import (
    CANDIDATE,
    CERTIFICATES,
    CONFIG,
    EdgeDirectory,
    Files,
)
from ansible_collections.portside.stack.plugins.module_utils._edge_server import EdgeServer
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

_TLS_PORT = 443


class EdgeFailed(StackError):
    """It does not serve what it is to serve; the text is what the service did."""


def swap(
    directory: EdgeDirectory,
    server: EdgeServer,
    files: Files,
    digest: str,
    tls: t.Mapping[str, t.Any],
    tell: t.Callable[[str], None],
    lasting: bool = True,
) -> None:
    """Replace the files that differ and reload. Raises EdgeFailed when the old ones are what serves still, or again.

    Unless they are ``lasting``, as those that answer challenges alone are not, the container need not be healthy with them.
    """
    halted = server.halted()
    if halted:
        raise EdgeFailed("cannot be reloaded, and goes on as it was: {0}".format(halted))
    old = {name: directory.read(name) for name in files}
    differing = [name for name in files if old[name] != files[name]]
    certificates = [name for name in differing if name != CONFIG]
    known = all(old.values()) and directory.served({name: data or b"" for name, data in old.items()})
    # From here on a kill leaves files of which nobody knows whether they were loaded.
    directory.forget_served()
    for name in certificates:
        directory.write(name, files[name])
    directory.prepare(CONFIG, files[CONFIG])
    refused = server.refuses(CANDIDATE)
    if refused:
        directory.discard(CANDIDATE)
        _put_back(directory, old, certificates)
        if known:
            directory.note_served({name: data or b"" for name, data in old.items()})
        raise EdgeFailed("refuses its new configuration, and goes on with the old one: {0}".format(refused))
    directory.write(CONFIG, files[CONFIG])
    tell("reload")
    logged = server.complaints()
    replaced = server.reload()
    wrong = server.await_config(digest, replaced) or _wrong_certificate(server, files, certificates, tls)
    story = "did not come to serve its new files"
    if lasting and not wrong:
        wrong, story = server.await_health(), "is not healthy with its new files"
    if wrong:
        wrong = server.explained(wrong, logged)
        _put_back(directory, old, differing)
        server.reload()
        raise EdgeFailed("was reloaded, but {0}, so the old ones are back: {1}".format(story, wrong))


def _put_back(directory: EdgeDirectory, old: t.Mapping[str, t.Optional[bytes]], names: t.Iterable[str]) -> None:
    for name in names:
        data = old[name]
        if data is None:
            directory.discard(name)
        else:
            directory.write(name, data)


def _wrong_certificate(server: EdgeServer, files: Files, changed: t.Container[str], tls: t.Mapping[str, t.Any]) -> str:
    """What is wrong with the one that is shown. Of those that the user brings several may be for a name: there new workers do."""
    name = "{0}/{1}".format(CERTIFICATES, tls.get("file"))
    asked = next((one for one in tls.get("names") or () if not is_address(one)), "")
    if name not in changed or not asked:
        return ""
    return server.await_certificate(_TLS_PORT, asked, chain_of(files[name]))
