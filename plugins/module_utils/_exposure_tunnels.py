# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that lead requests in from outside although nothing of them is published.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

# By the name of the program, or of the image's last part: what it is called in a sentence.
_TUNNELS = {
    "cloudflared": "Cloudflare Tunnel",
    "ngrok": "ngrok",
    "tailscaled": "Tailscale, which can serve and funnel local ports",
    "tailscale": "Tailscale, which can serve and funnel local ports",
    "zrok": "zrok",
    "frpc": "frp",
    "bore": "bore",
    "localtunnel": "localtunnel",
    "inletsctl": "inlets",
    "inlets": "inlets",
    "inlets-pro": "inlets",
    "newt": "Pangolin",
    "playit": "playit.gg",
    "chisel": "chisel",
    "rathole": "rathole",
    "twingate": "Twingate",
    "zerotier-one": "ZeroTier",
    "pagekite": "PageKite",
    "sish": "sish",
}
TUNNEL_PROCESSES = tuple(_TUNNELS)
_PROXIES = ("traefik", "caddy", "caddy-docker-proxy", "nginx-proxy", "swag", "tsdproxy")


def tunnel_of(container: t.Mapping[str, t.Any]) -> str:
    """What leads in through a container; empty where nothing known does."""
    by_variable = {"TUNNEL_TOKEN": "cloudflared", "NGROK_AUTHTOKEN": "ngrok", "TS_AUTHKEY": "tailscale"}
    names = [_program(container["image"]), *(by_variable[name] for name in container["tunnel_variables"])]
    return next((_TUNNELS[name] for name in names if name in _TUNNELS), "")


def tunnel_called(process: str) -> str:
    """The same of a process."""
    return _TUNNELS.get(process, process)


def is_proxy(container: t.Mapping[str, t.Any]) -> bool:
    """Whether it may be a proxy that other containers tell what to lead to them."""
    return _program(container["image"]) in _PROXIES


def _program(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]
