# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real programs for unit tests, from images that happen to be on this machine: nothing is pulled.

Where the images have been made (`make test`), PORTSIDE_IMAGES_REQUIRED says that none may be missing.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import uuid

import pytest

# It lives for as long as somebody holds its input: whoever started it may be killed.
_HELD = 'echo started; [ $# = 0 ] || "$@" >&2 & exec cat'


def absent(told):
    """Skip the test for want of something on this machine; fail it where nothing may be missing."""
    if os.environ.get("PORTSIDE_IMAGES_REQUIRED"):
        pytest.fail(told + ", and PORTSIDE_IMAGES_REQUIRED is set")
    pytest.skip(told)


def local_image(word):
    """The id of an image with the word in its name; without one the test is skipped."""
    try:
        listed = subprocess.run(
            ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        absent("there is no engine on this machine")
    # An exporter has the name of what it watches.
    found = sorted(line.split()[1] for line in listed.splitlines() if word in line.split()[0] and "exporter" not in line.split()[0])
    if not found:
        absent("there is no image of {0} on this machine".format(word))
    return found[0]


@contextlib.contextmanager
def running(image, directory, *argv, network="none"):
    """A container of the image with the directory at /srv/test, in which a command runs, for the body."""
    name = "portside-unit-" + uuid.uuid4().hex[:12]
    mount = "type=bind,source={0},target=/srv/test".format(directory)
    options = ["--rm", "--interactive", "--network", network, "--name", name, "--mount", mount, "--user", "0", "--entrypoint", "sh"]
    words = ["docker", "run", *options, image, "-c", _HELD, "sh", *argv]
    with tempfile.TemporaryFile() as said:
        # Its output is read to its first line alone: what the command writes goes elsewhere.
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said) as held:
            if held.stdout.readline() != b"started\n":
                held.wait(60)
                said.seek(0)
                raise AssertionError(said.read().decode(errors="replace"))
            try:
                yield name
            finally:
                held.stdin.close()
                held.wait(60)
