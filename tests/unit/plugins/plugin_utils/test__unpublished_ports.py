# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._unpublished_ports import unpublished_ports


def declared(**exposure):
    service = {"image": "x", "ports": ["3001:3000", {"target": 53, "published": 53, "protocol": "udp"}, "9000-9001:9000-9001"]}
    return {"name": "shop", "services": {"tool": service, "plain": {"image": "x"}, "off": dict(service, profiles=["never"])}, "exposure": exposure}


def test_what_an_internal_service_declares_is_kept_for_the_host():
    assert unpublished_ports(declared()) == unpublished_ports(declared(tool="internal")) == {"tool": [3000, 9000, 9001]}
    document = compose_document(declared())
    assert document["x-portside"]["unpublished_ports"] == {"tool": [3000, 9000, 9001]} and "ports" not in document["services"]["tool"]


def test_what_is_published_says_so_itself():
    for exposure in ("public", "loopback"):
        assert unpublished_ports(declared(tool=exposure)) == {}
        assert "unpublished_ports" not in compose_document(declared(tool=exposure))["x-portside"]


def test_no_container_is_made_anew_for_it():
    labels = [
        compose_document(dict(one, exposure={}))["services"]["tool"]["labels"]["portside.digest"]
        for one in (declared(), dict(declared(), services={"tool": {"image": "x"}}))
    ]
    assert labels[0] == labels[1]
