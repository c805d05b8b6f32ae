"""Some of the faults. The procedure and all others are in tests/faults."""

from __future__ import annotations

import pytest
from faults import FAULTS, prove_blow, prove_fault

SOME = (
    pytest.param("a secret without a value", marks=pytest.mark.slow),
    pytest.param("an image for another architecture", marks=pytest.mark.slow),
    pytest.param("the disk is full while files are written", marks=pytest.mark.slow),
    "a migration that fails",
    "a service that is never healthy",
    pytest.param("a step that fails when the new release serves", marks=pytest.mark.slow),
    "a check that fails",
)


@pytest.mark.parametrize("fault", SOME)
def test_the_previous_release_serves_after(fault, notes, registry):
    prove_fault(FAULTS[fault], notes, registry)


@pytest.mark.parametrize(("blow", "stage"), [("SIGKILL", "steps"), ("Ctrl-C", "activate")])
def test_old_or_new_serves_after(blow, stage, notes, registry):
    prove_blow(blow, stage, notes, registry)
