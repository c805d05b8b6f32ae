# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds images once. The tag is a digest over everything that goes in, so a changed file is what rebuilds."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import registry
from catalog import Image, chosen, load, repository
from shell import CHECKOUT, LABEL, BedError, docker, docker_argv, only_one, run, succeeds

CERTIFICATES = Path("/usr/local/share/ca-certificates")
_MANIFESTS = ("application/vnd.docker.distribution.manifest.v2+json, "
              "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
              "application/vnd.docker.distribution.manifest.list.v2+json")


def publish(names: list[str], one_set: str | None) -> None:
    """Builds (or pulls) images and pushes them; prints a line for each."""
    port = registry.ensure_registry()
    for image in chosen(load(), names, one_set):
        began = time.monotonic()
        if os.environ.get("PORTSIDE_IMAGES") == "upstream" and not image.built_only:
            local, how = image.name, "pulled"
            docker("pull", "--quiet", image.name)
        else:
            local, fresh = ensure_image(image.key)
            how = "built" if fresh else "cached"
        if image.name and _push(local, image.name, port):
            how += ", pushed"
        print(f"{image.name or image.key}: {how}, {time.monotonic() - began:.1f} s", flush=True)


def ensure_image(key: str) -> tuple[str, bool]:
    """(local tag, whether it had to be built)."""
    with only_one("build"):
        return _ensure(load(), key)


def _ensure(images: dict[str, Image], key: str) -> tuple[str, bool]:
    if key.startswith("root:"):
        return _ensure_root(key.partition(":")[2])
    if key not in images:
        raise BedError(f"images.toml has no entry {key}")
    image = images[key]
    base, _ = _ensure(images, image.base)
    context = _context(CHECKOUT / image.context)
    tag = f"portside-bed/{key}:{_digest(context, base, repr(image.args))}"
    if _exists(tag):
        return tag, False
    args = [part for name, value in (("BASE", base), *image.args) for part in ("--build-arg", f"{name}={value}")]
    # Host networking: the build needs the machine's way out, whatever the bridge offers.
    docker("build", "--quiet", "--network", "host", "--label", f"{LABEL}=1", "--tag", tag, *args, "-", stdin=context)
    return tag, True


def _ensure_root(suite: str) -> tuple[str, bool]:
    """Debian's minimal root; updates inside a suite reach us when the cache is removed, as with any image."""
    # The certificates a machine trusts on top of Debian's (a company's proxy) have to be trusted in builds too.
    context = _context(CHECKOUT / "tests/images/base", CERTIFICATES)
    root = f"portside-bed/root:{suite}"
    tag = f"portside-bed/base-{suite}:{_digest(context, root)}"
    if _exists(tag):
        return tag, False
    if not _exists(root):
        argv = ["mmdebstrap", "--quiet", "--variant=minbase", "--skip=cleanup/apt/lists", "--include=ca-certificates"]
        if suite == "sid":
            argv.append('--aptopt=Acquire::Check-Valid-Until "false"')
        archive = CHECKOUT / ".bed" / f"root-{suite}.tar"
        run([*argv, suite, str(archive)], env={"SOURCE_DATE_EPOCH": "0"})
        docker("import", "--change", f"LABEL {LABEL}=1", str(archive), root)
        archive.unlink()
    docker("build", "--quiet", "--network", "host", "--label", f"{LABEL}=1", "--tag", tag,
           "--build-arg", f"BASE={root}", "-", stdin=context)
    return tag, True


def _exists(tag: str) -> bool:
    return succeeds(docker_argv("image", "inspect", tag))


def _digest(context: bytes, *more: str) -> str:
    hashed = hashlib.sha256(context)
    for text in more:
        hashed.update(b"\0" + text.encode())
    return hashed.hexdigest()[:16]


def _context(directory: Path, certificates: Path | None = None) -> bytes:
    """The build context as a tar archive that is the same bytes whenever the files are the same."""
    files = {str(path.relative_to(directory)): path for path in directory.rglob("*")
             if path.is_file() and "__pycache__" not in path.parts}
    if certificates and certificates.is_dir():
        files |= {f"certificates/{path.name}": path for path in certificates.glob("*.crt")}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, path in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            with open(path, "rb") as handle:
                archive.addfile(entry, handle)
    return buffer.getvalue()


def _push(local: str, name: str, port: int) -> bool:
    """Pushes unless the registry has just this image under the name already."""
    path, tag = repository(name)
    remote = f"127.0.0.1:{port}/{path}"
    pushed = docker("image", "inspect", "--format", "{{join .RepoDigests \" \"}}", local).split()
    there = _digest_in_registry(port, path, tag)
    if there and f"{remote}@{there}" in pushed:
        return False
    docker("tag", local, f"{remote}:{tag}")
    docker("push", "--quiet", f"{remote}:{tag}")
    return True


def _digest_in_registry(port: int, path: str, tag: str) -> str | None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v2/{path}/manifests/{tag}", method="HEAD",
                                     headers={"Accept": _MANIFESTS})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.headers["Docker-Content-Digest"]
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise BedError(f"the registry answers {error.code} for {path}:{tag}") from error


def remove() -> None:
    """Removes every image the bed built; an image goes after those made from it."""
    before: set[str] = set()
    while (found := set(docker("images", "--quiet", "--filter", f"label={LABEL}").split())) and found != before:
        docker("rmi", "--force", *sorted(found), check=False)
        before = found
