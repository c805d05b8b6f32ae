# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One command in a container that is made for it alone, has no network, and is removed again.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._compose_model import LABEL_STACK
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError

# Besides the stack's: what tells these containers from all others, and what they are for.
LABEL = "portside.throw-away"
_SECONDS = 60
_LINES = 200
# What one of these may take at most before it counts as left over.
_OLD = 600


class NotRun(StackError):
    """The image has no such program, or it cannot be run."""


def run_once(
    engine: EngineClient,
    stack: str,
    purpose: str,
    image: str,
    argv: t.Sequence[str],
    files: t.Optional[t.Mapping[str, bytes]] = None,
    name: str = "",
    platform: str = "",
) -> t.Tuple[int, t.List[str]]:
    """The exit code of a command, and the lines it wrote; ``files`` are put there before, by their absolute path."""
    if name:
        remove(engine, name)
    body = {
        "Image": image,
        "Entrypoint": [argv[0]],
        "Cmd": list(argv[1:]),
        "NetworkDisabled": True,
        "Labels": {LABEL_STACK: stack, LABEL: purpose},
        # The engine's own driver need not be one that can be read.
        "HostConfig": {"NetworkMode": "none", "LogConfig": {"Type": "json-file"}},
    }
    query = {key: value for key, value in (("name", name), ("platform", platform)) if value}
    container = engine.post("/containers/create", body, **query)["Id"]
    try:
        if files:
            engine.put_archive(container, "/", packed(files))
        try:
            engine.post("/containers/{0}/start".format(container))
        except EngineError as error:
            raise NotRun(str(error)) from error
        code = engine.post("/containers/{0}/wait".format(container), timeout=_SECONDS)["StatusCode"]
        return code, engine.logs(container, _LINES)
    finally:
        remove(engine, container)


def remove(engine: EngineClient, container: str) -> None:
    """With the volumes that the image asks for, which are this container's own."""
    try:
        engine.delete("/containers/{0}".format(container), force=1, v=1)
    except EngineError as error:
        if error.status not in (404, 409):
            raise


def remove_leftovers(engine: EngineClient, stack: str, purpose: str, now: float) -> None:
    """Remove what a run left that was killed; another run may be at work just now."""
    for entry in engine.containers("{0}={1}".format(LABEL, purpose)):
        if (entry.get("Labels") or {}).get(LABEL_STACK) == stack and entry["Created"] < now - _OLD:
            remove(engine, entry["Id"])


def packed(files: t.Mapping[str, bytes]) -> bytes:
    """An archive with the files and the directories they are in, which everybody may read."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for folder in sorted({folder for path in files for folder in _folders(path)}):
            entry = tarfile.TarInfo(folder.lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode, entry.size = 0o644, len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _folders(path: str) -> t.Iterator[str]:
    # The first level is the image's own: /etc may have another mode there.
    folder = posixpath.dirname(path)
    while posixpath.dirname(folder) != "/":
        yield folder
        folder = posixpath.dirname(folder)
