# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._exposure_table import exposure_table


def row(service, exposure, published="", target=None, protocol="tcp"):
    return {"service": service, "exposure": exposure, "published": published, "target": target, "protocol": protocol}


def test_every_running_service_has_its_rows():
    declared = {
        "name": "shop",
        "services": {
            "edge": {"image": "x", "ports": ["80:8080", "443:8443/udp"]},
            "api": {"image": "x", "ports": [{"target": 8000, "published": 8001}]},
            "db": {"image": "x", "ports": ["5432:5432"]},
            "job": {"image": "x"},
            "off": {"image": "x", "profiles": ["p"], "ports": ["1:1"]},
        },
        "exposure": {"edge": "public", "api": "loopback", "off": "public"},
    }
    assert exposure_table(declared) == [
        row("edge", "public", "80", 8080),
        row("edge", "public", "443", 8443, "udp"),
        row("api", "loopback", "127.0.0.1:8001", 8000),
        row("db", "internal", "", 5432),
        row("job", "internal", "", None, ""),
    ]


def test_bad_ports_are_named():
    with pytest.raises(StackError, match="stack 'shop', service 'a', key 'ports': value 1342"):
        exposure_table({"name": "shop", "services": {"a": {"image": "x", "ports": [1342]}}})
