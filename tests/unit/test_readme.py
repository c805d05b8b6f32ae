# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The README names what there is to use and to run: somebody new looks there first."""

from __future__ import annotations

import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "pattern",
    [
        "plugins/modules/*.py",
        "plugins/filter/*.py",
        "roles/*/README.md",
        "molecule/*/molecule.yml",
        "docs/*.md",
        "playbooks/*.yml",
    ],
)
def test_nothing_is_left_out(pattern):
    found = sorted(ROOT.glob(pattern))
    names = {path: path.parent.name if pattern.split("/")[1] == "*" else path.stem for path in found}
    assert found
    assert [name for path, name in names.items() if "`{0}`".format(name) not in README and str(path.relative_to(ROOT)) not in README] == []
