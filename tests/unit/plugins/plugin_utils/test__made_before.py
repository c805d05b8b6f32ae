# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.portside.stack.plugins.plugin_utils._made_before import made_before

SHARED = {
    "name": "shared",
    "services": {"db": {"image": "postgres:17", "networks": ["net"], "volumes": ["data:/data", "old:/old"]}},
    "networks": {"net": {"name": "the-network"}},
    "volumes": {"data": {}, "old": {"external": True}},
}
SITE = {"name": "site", "services": {"web": {"image": "nginx:1.28", "networks": ["net"]}}, "networks": {"net": {"external": True, "name": "the-network"}}}
LAST = {"name": "last", "services": {"web": {"image": "nginx:1.28"}}}


def test_what_stacks_before_make_is_there_in_time_and_nothing_else():
    stacks = [SHARED, SITE, LAST]
    assert made_before(stacks, "shared") == []
    assert made_before(stacks, "site") == ["shared_data", "the-network"]
    assert made_before(stacks, "last") == ["shared_data", "the-network"]
    assert made_before([SITE, SHARED], "site") == []
