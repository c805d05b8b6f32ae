# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real programs for unit tests, from images that happen to be on this machine: nothing is pulled."""

from __future__ import annotations

import contextlib
import subprocess
import uuid

import pytest


def local_image(word):
    """The id of an image with the word in its name; skips the test where there is none."""
    try:
        listed = subprocess.run(
            ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no engine on this machine")
    found = sorted(line.split()[1] for line in listed.splitlines() if word in line.split()[0])
    if not found:
        pytest.skip("there is no image of {0} on this machine".format(word))
    return found[0]


@contextlib.contextmanager
def running(image, directory, *argv):
    """A container of the image with the directory at /srv/test and no network, for the body."""
    name = "portside-unit-" + uuid.uuid4().hex[:12]
    mount = "type=bind,source={0},target=/srv/test".format(directory)
    options = ["--detach", "--network", "none", "--name", name, "--mount", mount, "--user", "0", "--entrypoint", argv[0]]
    subprocess.run(["docker", "run", *options, image, *argv[1:]], check=True, capture_output=True)
    try:
        yield name
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], check=True, capture_output=True)
