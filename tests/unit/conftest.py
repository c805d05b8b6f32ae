# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _lease, _progress
from hypothesis import settings

# Machines are shared: an example that takes long says nothing about the code.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture
def run_directory(tmp_path, monkeypatch):
    """A directory for locks and progress in the place of /run/portside."""
    directory = str(tmp_path / "run")
    monkeypatch.setattr(_progress.Progress.__init__, "__defaults__", (directory,))
    monkeypatch.setattr(_lease.StackLock.__init__, "__defaults__", (directory, "this-boot"))
    return directory
