# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with releases: a stack's directory, and an engine whose images have tags and are used by containers."""

from __future__ import annotations

import hashlib
import json

from fake_engine import FakeEngine, Handler

STACK = "shop"


class ImageHandler(Handler):
    """References to images as the engine keeps them: an image goes with the last of them."""

    def get_images(self, engine, parts, query, _body):
        if parts == ["json"]:
            tags = {}
            for reference, image in engine.images.items():
                tags.setdefault(image, []).append(reference)
            self.answer(
                200,
                [
                    {"Id": image, "RepoTags": sorted(r for r in found if "@" not in r) or None, "Containers": -1}
                    for image, found in tags.items()
                ],
            )
            return
        image = engine.resolve("/".join(parts[:-1]))
        if image:
            tags = sorted(r for r, one in engine.images.items() if one == image and "@" not in r)
            self.answer(200, {"Id": image, "RepoTags": tags})
        else:
            self.answer(404, {"message": "No such image"})

    def post_images(self, engine, parts, query, _body):
        assert parts[-1] == "tag"
        engine.images["{repo}:{tag}".format(**query)] = engine.resolve("/".join(parts[:-1]))
        self.answer(201, b"")

    def delete_images(self, engine, parts, query, _body):
        assert "force" not in query
        name = engine.stored("/".join(parts))
        if name not in engine.images:
            self.answer(404, {"message": "No such image"})
            return
        image = engine.images[name]
        users = [one for one in engine.containers.values() if one["Image"] == image]
        if users and list(engine.images.values()).count(image) == 1:
            self.answer(409, {"message": "conflict: container {0} is using it".format(users[0]["Id"])})
            return
        del engine.images[name]
        self.answer(200, [{"Untagged": name}])

    def get_containers(self, engine, parts, query, body):
        if parts != ["json"]:
            super().get_containers(engine, parts, query, body)
            return
        entries = (
            {
                "Id": key,
                "Names": [one["Name"]],
                "Labels": one["Config"]["Labels"],
                "ImageID": one["Image"],
                "Mounts": one["Mounts"],
            }
            for key, one in list(engine.containers.items())
        )
        self.answer(200, list(self.matching(entries, query)))


class Engine(FakeEngine):
    def __init__(self, path):
        super().__init__(path)
        self.RequestHandlerClass = ImageHandler

    @staticmethod
    def stored(name):
        """A reference as it is kept: with a digest, without its tag and Docker Hub's own name."""
        name = name[len("docker.io/library/") :] if name.startswith("docker.io/library/") else name
        head, at, digest = name.partition("@")
        return head.partition(":")[0] + at + digest if at else name

    def resolve(self, name):
        return name if name in self.images.values() else self.images.get(self.stored(name), "")

    def pull(self, reference):
        """As docker pull REFERENCE: answers what pins it."""
        image = "sha256:" + hashlib.sha256(reference.encode()).hexdigest()
        pin = "{0}@{1}".format(reference, "sha256:" + hashlib.sha256(b"m" + reference.encode()).hexdigest())
        self.images[reference] = self.images[self.stored(pin)] = image
        return pin

    def use(self, image, mounts=(), project="other"):
        key = self.add("thing", "1", project=project)
        self.containers[key]["Image"] = image
        self.containers[key]["Mounts"] = [{"Type": "bind", "Source": source} for source in mounts]
        return key


def release_files(directory, images, config="x", steps=(), checks=(), edge=None, **record):
    """The id and the files of a release, as the filter makes them; ``edge`` are its edge's, by name."""
    if edge:
        record["edge"] = {"files": sorted(edge)}
    mounted = "{0}/files/{1}/app.conf".format(directory, hashlib.sha256(config.encode()).hexdigest()[:12])
    services = {"s{0}".format(at): {"image": pin} for at, pin in enumerate(images.values())}
    compose = "# {0}\nservices: {1}\n".format(config, json.dumps(services))
    text = json.dumps(
        dict(
            {
                "format": 1,
                "stack": STACK,
                "declaration_digest": "d" * 16,
                "images": images,
                "secrets": {"password": 1},
                "files": [mounted],
                "steps": list(steps),
                "checks": list(checks),
                "definition": {"name": STACK, "services": services},
            },
            **record,
        )
    )
    release = hashlib.sha256((compose + text + json.dumps(edge)).encode()).hexdigest()[:16]
    home = "{0}/releases/{1}/".format(directory, release)
    return release, {
        mounted: {"content": config, "mode": "0644"},
        home + "compose.yaml": {"content": compose, "mode": "0644"},
        home + "release.json": {"content": text, "mode": "0600"},
        **{home + name: {"content": content, "mode": "0644"} for name, content in (edge or {}).items()},
    }
