# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes what the bed's registry has under a name, as others do between two deploys. The registry's HTTP API alone."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
import urllib.request

from playbook import PROJECT

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Registry:
    """One repository of it."""

    def __init__(self, path: str) -> None:
        said = subprocess.run(["python3", "tests/bed", "registry"], cwd=PROJECT, check=True, text=True, stdout=subprocess.PIPE).stdout
        self._base = f"http://{said.partition(',')[0]}/v2/{path}"

    def tag(self, source: str, target: str) -> str:
        """Lets a tag name the image that another one names; returns the digest."""
        return self._put_manifest(target, self._manifest(source))

    def variant(self, source: str, target: str, layer_bytes: int = 0, **config) -> str:
        """Makes a tag name a new image: another one's, with other keys in its configuration, and with a layer more."""
        manifest = self._manifest(source)
        image = json.loads(self._call("GET", f"/blobs/{manifest['config']['digest']}")[0]) | config
        if layer_bytes:
            layer = _layer(layer_bytes)
            manifest["layers"].append({"mediaType": _LAYER, "size": len(layer), "digest": self._put_blob(layer)})
            image["rootfs"]["diff_ids"].append(_digest(layer))
            image["history"].append({"created_by": "test"})
        data = json.dumps(image).encode()
        manifest["config"] |= {"size": len(data), "digest": self._put_blob(data)}
        return self._put_manifest(target, manifest)

    def _manifest(self, tag: str) -> dict:
        return json.loads(self._call("GET", f"/manifests/{tag}", Accept=_MANIFEST)[0])

    def _put_manifest(self, tag: str, manifest: dict) -> str:
        sent = {"Content-Type": _MANIFEST}
        return self._call("PUT", f"/manifests/{tag}", json.dumps(manifest).encode(), **sent)[1]["Docker-Content-Digest"]

    def _put_blob(self, data: bytes) -> str:
        place = self._call("POST", "/blobs/uploads/", b"")[1]["Location"]
        digest = _digest(data)
        sent = {"Content-Type": "application/octet-stream"}
        self._call("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", data, **sent)
        return digest

    def _call(self, method: str, where: str, data: bytes | None = None, **headers) -> tuple[bytes, dict]:
        url = where if where.startswith("http") else self._base + where
        with _opener.open(urllib.request.Request(url, data=data, method=method, headers=headers), timeout=30) as answer:
            return answer.read(), answer.headers


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _layer(size: int) -> bytes:
    """A layer that nobody has yet."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("weight")
        entry.size = size
        archive.addfile(entry, io.BytesIO(os.urandom(size)))
    return buffer.getvalue()
