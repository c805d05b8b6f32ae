# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import tarfile

import pytest
from ansible_collections.portside.stack.plugins.module_utils._audit_files import LARGEST_FILE, ContainerFiles, matching
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineError

TREE = {
    "etc": None,
    "etc/nginx": None,
    "etc/nginx/nginx.conf": b"main",
    "etc/nginx/nginx": None,
    "etc/nginx/nginx/inner.conf": b"inner",
    "etc/nginx/large": b"x" * (LARGEST_FILE + 1),
    "etc/nginx/sites-enabled": None,
    "etc/nginx/sites-enabled/site": "../sites-available/site",
    "etc/nginx/sites-available": None,
    "etc/nginx/sites-available/site": b"site",
    "etc/nginx/loop": "loop",
    "etc/nginx/linked": "sites-available",
    "etc/passwd": b"its own",
    "etc/nginx/out": "../../../../etc/passwd",
}


class Engine:
    """Archives as the engine makes them: a directory that was asked for by a dot is called so or by its name."""

    def __init__(self, dotted):
        self.dotted, self.asked = dotted, []

    def archive(self, container, path, most):
        self.asked.append(path)
        inside = path.endswith("/.")
        path = path[:-2] if inside else path
        key = path.strip("/")
        if key not in TREE:
            return None
        if key == "etc/nginx/huge":
            raise EngineError(200, "too large")
        top = "." if inside and self.dotted else key.rpartition("/")[2]
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name, content in TREE.items():
                if name == key or name.startswith(key + "/"):
                    member = tarfile.TarInfo(top + name[len(key) :])
                    if content is None:
                        member.type = tarfile.DIRTYPE
                    elif isinstance(content, str):
                        member.type, member.linkname = tarfile.SYMTYPE, content
                    else:
                        member.size = len(content)
                    archive.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
        return out.getvalue()


@pytest.fixture(params=[True, False], ids=["dotted", "named"])
def files(request):
    return ContainerFiles(Engine(request.param), "web")


def test_files_and_links_stay_in_the_container(files):
    assert files.read("/etc/nginx/nginx.conf") == b"main"
    assert files.read("/etc/nginx/sites-enabled/site") == b"site"
    assert files.read("/etc/nginx/out") == b"its own"
    assert files.read("/etc/nginx/missing") is None and files.read("/etc/nginx") is None
    with pytest.raises(OSError, match="links"):
        files.read("/etc/nginx/loop")


def test_a_directory_is_asked_for_once(files):
    assert matching(files, "/etc/nginx/sites-enabled/*") == ["/etc/nginx/sites-enabled/site"]
    assert matching(files, "/etc/nginx/sites-enabled/*") == ["/etc/nginx/sites-enabled/site"]
    assert files._engine.asked == ["/etc/nginx/sites-enabled/."]
    assert files.listdir("/etc/nginx/nowhere") == []
    assert "nginx" in files.listdir("/etc/nginx") and files.read("/etc/nginx/nginx/inner.conf") == b"inner"
    assert files.listdir("/etc/nginx/linked") == ["site"]
    # What is too large for configuration is as if it was none.
    assert files.read("/etc/nginx/large") is None


def test_what_the_engine_refuses_is_an_error_of_the_file(files, monkeypatch):
    def refuse(*_args):
        raise EngineError(500, "no")

    monkeypatch.setattr(files._engine, "archive", refuse)
    with pytest.raises(OSError, match="no"):
        files.read("/etc/nginx/nginx.conf")
