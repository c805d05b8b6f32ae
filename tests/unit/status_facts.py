# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A status as the module stack_status returns it, without the host."""

from __future__ import annotations


def service(name, **keys):
    return dict(
        {
            "name": name,
            "state": "running",
            "health": "healthy",
            "containers": 1,
            "running": 1,
            "wanted": 1,
            "exit_code": None,
            "since": "2026-11-21T09:00:00Z",
            "restarts": 0,
            "image": "registry.test:5000/example/{0}:1".format(name),
            "digest": "sha256:" + "a" * 64,
            "cpu_percent": 3.0,
            "cpu_limit": 2.0,
            "memory": 131 * 1024**2,
            "memory_limit": 512 * 1024**2,
            "exposure": "internal",
            "reach": "internal",
            "via": "",
            "published": [],
            "routes": [],
            "tunnel_to": [],
        },
        **keys,
    )


def stack(name, *services, **keys):
    return dict(
        {
            "name": name,
            "release": "0123456789abcdef",
            "since": "2026-11-21T10:00:00Z",
            "by": "ann from laptop",
            "at_work": None,
            "services": list(services),
            "history": [],
            "certificates": [],
            "orphans": {"containers": [], "volumes": []},
            "can_roll_back_to": [],
            "visible": {},
            "start": None,
            "healing": {},
            "unseen": [],
        },
        **keys,
    )


def status(*stacks, **keys):
    return dict({"host": "box", "time": "2026-11-21T11:00:00Z", "unseen": [], "stacks": list(stacks)}, **keys)
