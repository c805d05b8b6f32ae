# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container sees of a mounted file, which need not be what is on the host by now."""

from __future__ import annotations

import hashlib

import pytest
from ansible_collections.portside.stack.plugins.module_utils._drift_mounts import stale_mounts

CONTENT = b"listen 80;\n"
HOME = "/opt/stacks/shop"
FILE = "{0}/files/{1}/web.conf".format(HOME, hashlib.sha256(CONTENT).hexdigest()[:12])
SECRET = HOME + "/secrets/key/1"
DEFINITION = {
    "services": {
        "web": {
            "configs": [{"source": "web.conf_1", "target": "/etc/web.conf"}],
            "secrets": [{"source": "key_v1", "target": "key"}],
        }
    },
    "configs": {"web.conf_1": {"file": FILE}},
    "secrets": {"key_v1": {"file": SECRET}},
}


class Host:
    """The files of a host, with those that a container sees below /proc."""

    def __init__(self, gone="", **seen):
        line = "100 99 0:5 {0}{2} {1} rw,relatime - ext4 /dev/sda1 rw"
        places = {FILE: "/etc/web\\040server.conf", SECRET: "/run/secrets/key"}
        lines = ["100 99 0:5 / / rw - overlay overlay rw", *(line.format(path, place, gone) for path, place in places.items())]
        self.files = {
            "/proc/7/mountinfo": "\n".join(lines).encode(),
            "/proc/7/root/etc/web server.conf": seen.get("config", CONTENT),
            "/proc/7/root/run/secrets/key": seen.get("secret", b"value"),
            SECRET: b"value",
        }

    def read(self, path):
        try:
            return self.files[path]
        except KeyError:
            raise FileNotFoundError(path) from None


def whats(host):
    return [one.what for one in stale_mounts(host, DEFINITION, "web", 7)]


@pytest.mark.parametrize("gone", ["", "//deleted"])
def test_the_same_content_is_no_difference_whatever_became_of_the_file(gone):
    assert whats(Host(gone)) == []


@pytest.mark.parametrize("gone", ["", "//deleted"])
def test_what_was_edited_in_place_is_seen_until_the_container_is_made_anew(gone):
    assert whats(Host(gone, config=b"listen 81;\n")) == ["sees another content of the configuration /etc/web.conf"]
    found = stale_mounts(Host(gone, secret=b"nobody-may-read-this-one"), DEFINITION, "web", 7)
    assert [one.what for one in found] == ["sees another content of the secret key"]
    assert "nobody-may-read" not in repr(found)


def test_a_directory_of_stacks_that_is_a_mount_itself_makes_no_difference():
    host = Host(config=b"listen 81;\n")
    host.files["/proc/7/mountinfo"] = host.files["/proc/7/mountinfo"].replace(b"/opt/stacks/", b"/")
    assert whats(host) == ["sees another content of the configuration /etc/web.conf"]


def test_what_cannot_be_seen_is_not_judged():
    host = Host(config=b"listen 81;\n")
    del host.files["/proc/7/mountinfo"]
    assert whats(host) == []
