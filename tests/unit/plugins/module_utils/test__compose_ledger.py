# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_ledger import OneShotLedger


@pytest.fixture
def ledger(tmp_path):
    return OneShotLedger(str(tmp_path / "not-there-yet"))


def test_every_digest_that_completed_is_remembered(ledger):
    for digest in ("a", "b"):
        ledger.record("migrate", digest, "sha256:1", "then")
    told = {"image": "sha256:1", "exit_code": 0, "finished": "then"}
    assert ledger.read() == {"migrate": {"done": {"a": told, "b": told}}}


def test_it_does_not_grow_for_ever_and_forgets_what_completed_longest_ago(ledger):
    for number in range(21):
        ledger.record("migrate", str(number), "x", "then")
    ledger.record("migrate", "1", "x", "again")
    ledger.record("migrate", "21", "x", "then")
    done = ledger.read()["migrate"]["done"]
    assert list(done) == [str(number) for number in range(3, 21)] + ["1", "21"]


def test_what_is_lost_is_lost_for_every_digest_until_it_completes_again(ledger):
    ledger.record("migrate", "a", "x", "then")
    ledger.record("other", "a", "x", "then")
    ledger.lose({"migrate"})
    assert ledger.read()["migrate"] == {"lost": True}
    ledger.record("migrate", "b", "x", "then")
    assert {name: list(entry["done"]) for name, entry in ledger.read().items()} == {"migrate": ["b"], "other": ["a"]}
