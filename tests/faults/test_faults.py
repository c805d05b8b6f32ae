# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault, and every blow at every stage. What users saw is in the output: pytest -rP."""

from __future__ import annotations

import pytest
from faults import FAULTS, MATRIX, prove_blow, prove_fault


@pytest.mark.parametrize("fault", FAULTS)
def test_the_previous_release_serves_after(fault, notes, registry):
    prove_fault(FAULTS[fault], notes, registry)


@pytest.mark.parametrize(("blow", "stage"), MATRIX)
def test_old_or_new_serves_after(blow, stage, notes, registry):
    prove_blow(blow, stage, notes, registry)
