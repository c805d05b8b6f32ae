# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of an nginx edge that hold for all of its servers.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_route import edge_max_body, zone
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_text import DOLLAR, block, plain, value
from ansible_collections.portside.stack.plugins.plugin_utils._nginx_words import BROKEN, CLIENT_ADDRESS, REFUSED, SOUND_PATH, UNBELIEVED, WEBSOCKET_ALONE
from ansible_collections.portside.stack.plugins.plugin_utils._routes import Route

Version = t.Tuple[int, ...]

MAIN = [
    "user nginx;",
    "worker_processes auto;",
    "worker_rlimit_nofile 16384;",
    "# A reload leaves streams to the workers that have them, which would stay for as long as a client does.",
    "worker_shutdown_timeout 10m;",
    "pid /run/nginx.pid;",
    "# In the image this is what `docker logs` shows.",
    "error_log /var/log/nginx/error.log notice;",
    "",
    *block("events", ["worker_connections 4096;"]),
]
_BASE = [
    "include /etc/nginx/mime.types;",
    "default_type application/octet-stream;",
    "types_hash_max_size 2048;",
    "server_names_hash_max_size 4096;",
    "server_names_hash_bucket_size 512;",
    "# For variables with the names of long headers.",
    "variables_hash_bucket_size 256;",
    "server_tokens off;",
    "# The port that clients see is not the one in the container.",
    "absolute_redirect off;",
    "",
    "log_format edge '$remote_addr [$time_iso8601] $host \"$request\" $status $body_bytes_sent '",
    "                '${request_time}s upstream $upstream_addr $upstream_status ${upstream_response_time}s '",
    "                '\"$http_referer\" \"$http_user_agent\"';",
    "access_log /var/log/nginx/access.log edge;",
    "",
    "sendfile on;",
    "tcp_nopush on;",
    "keepalive_timeout 65s;",
    "client_header_timeout 15s;",
    "client_body_timeout 60s;",
    "send_timeout 60s;",
    "reset_timedout_connection on;",
    "large_client_header_buffers 4 16k;",
    "client_body_buffer_size 128k;",
]
_REFUSED = [
    BROKEN,
    *block("map $uri $edge_broken", ["default 1;", '"~{0} 0;'.format(SOUND_PATH[1:])]),
    "# Paths that programs do not read alike: refused in every server, before anything else.",
    *block(
        "map $request_uri $edge_refused",
        ["default $edge_broken;", *(line for why, patterns in REFUSED for line in (why, *('"~{0} 1;'.format(one[1:]) for one in patterns)))],
    ),
]
_HOST = [
    "# The host that was asked for, with the port that the client sees, if it gave one.",
    *block('map "$host|$http_host" $edge_host', ["default $host;", '"~*^([^|]+)\\|\\1:[0-9]{1,5}\\z" $http_host;']),
]
_UPGRADE = [
    WEBSOCKET_ALONE,
    *block("map $http_upgrade $edge_websocket", ['default "";', '"~*^websocket\\z" websocket;']),
    *block("map $edge_websocket $edge_connection_upgrade", ["default upgrade;", '"" close;']),
]
_PROXY = [
    "# Names are looked up again when they are used: containers get new addresses, and nginx starts without them.",
    "resolver 127.0.0.11 valid=2s ipv6=off;",
    "resolver_timeout 5s;",
    "proxy_http_version 1.1;",
    "# A container answers at once or is gone: the next address, or 504, is better than waiting.",
    "proxy_connect_timeout 2s;",
    "proxy_buffer_size 16k;",
    "proxy_buffers 8 16k;",
    "proxy_busy_buffers_size 32k;",
    "proxy_set_header Host $edge_upstream_host;",
    "proxy_set_header Upgrade $edge_upgrade;",
    "proxy_set_header Connection $edge_connection;",
    "# What the client says of itself here is not believed.",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $remote_addr;",
    "proxy_set_header X-Forwarded-Proto $edge_proto;",
    "proxy_set_header X-Forwarded-Host $edge_host;",
    *('proxy_set_header {0} "";'.format(name) for name in UNBELIEVED),
]
_COMPRESSED = (
    "application/javascript application/json application/ld+json application/manifest+json application/rss+xml application/wasm application/xml "
    "font/ttf image/svg+xml text/calendar text/css text/javascript text/markdown text/plain text/vcard text/xml"
)
_GZIP = ["gzip on;", "gzip_vary on;", "gzip_proxied any;", "gzip_comp_level 5;", "gzip_min_length 1024;", "gzip_types {0};".format(_COMPRESSED)]
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
_HSTS = 63072000
# Nobody but cloudflared reaches an edge behind a tunnel, from whichever network Docker gave the stack.
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8")
# https://ssl-config.mozilla.org, guideline 6.0, intermediate
_CIPHERS = ":".join(
    "ECDHE-{0}-{1}".format(key, cipher)
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
_CURVES = "X25519:prime256v1:secp384r1"
_HYBRID = "X25519MLKEM768:"
_HYBRID_SINCE = (3, 5)


def http_lines(edge: model.Mapping, routes: t.Sequence[Route], openssl: Version) -> t.List[str]:
    """The settings of `http` in front of its servers."""
    tls = model.mapping(edge.get("tls"))
    limits = [zone(route) for route in routes if route.rate]
    parts = [
        _BASE,
        ["client_max_body_size {0};".format(plain(edge_max_body(edge)))],
        _REFUSED,
        _client(edge),
        ["# A dollar sign that begins no variable.", *DOLLAR],
        _HOST,
        _UPGRADE,
        [*_PROXY, *_client_address(edge)],
        ["limit_req_status 429;", "limit_req_log_level warn;", *limits] if limits else [],
        _GZIP,
        _tls(openssl) if tls else [],
        _headers(edge, tls),
    ]
    return joined(parts)


def challenge_lines() -> t.List[str]:
    """The settings of `http` for an edge that has no certificate yet."""
    return joined([_BASE, _REFUSED])


def joined(parts: t.Iterable[t.Sequence[str]]) -> t.List[str]:
    """The parts that are not empty with a line between them."""
    found: t.List[str] = []
    for part in parts:
        found += ["", *part] if found and part else part
    return found


def _client(edge: model.Mapping) -> t.List[str]:
    """Who the client is, and how it came: as the proxies say that are to be believed."""
    real_ip = model.mapping(edge.get("real_ip"))
    if not real_ip and not edge.get("tunnel"):
        return block("map $scheme $edge_proto", ["default $scheme;"])
    trusted = [str(one) for one in model.sequence(real_ip.get("from"))] if real_ip else list(_PRIVATE)
    return [
        "# Who may say which client it speaks for, and whether that one came with https.",
        *("set_real_ip_from {0};".format(plain(one)) for one in trusted),
        "real_ip_header {0};".format(plain(_believed(edge))),
        "real_ip_recursive on;",
        *block("geo $realip_remote_addr $edge_trusted", ["default 0;", *("{0} 1;".format(plain(one)) for one in trusted)]),
        *block('map "$edge_trusted $http_x_forwarded_proto" $edge_proto', ["default $scheme;", '"1 https" https;', '"1 http" http;']),
    ]


def _believed(edge: model.Mapping) -> str:
    """The header in which the proxy in front says who the client is; empty where none is to be believed."""
    real_ip = model.mapping(edge.get("real_ip"))
    if real_ip:
        return str(real_ip.get("header") or "X-Forwarded-For")
    return "CF-Connecting-IP" if edge.get("tunnel") else ""


def _client_address(edge: model.Mapping) -> t.List[str]:
    """The one that is believed says on what was believed, for whoever else asks it is their own address."""
    believed = _believed(edge).lower()
    values = {name: "$remote_addr" if name.lower() == believed else '""' for name in CLIENT_ADDRESS}
    return ["proxy_set_header {0} {1};".format(name, text) for name, text in values.items()]


def _tls(openssl: Version) -> t.List[str]:
    return [
        "# Mozilla's guideline 6.0, intermediate.",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "ssl_ciphers {0};".format(_CIPHERS),
        "ssl_ecdh_curve {0}{1};".format(_HYBRID if openssl >= _HYBRID_SINCE else "", _CURVES),
        "ssl_prefer_server_ciphers off;",
        "ssl_session_cache shared:edge:10m;",
        "ssl_session_timeout 1d;",
        "ssl_session_tickets off;",
    ]


def _headers(edge: model.Mapping, tls: model.Mapping) -> t.List[str]:
    declared = edge.get("headers")
    declared = declared if isinstance(declared, dict) else {}
    taken = {str(name).lower() for name in declared}
    wanted = {name: text for name, text in _HEADERS.items() if name.lower() not in taken}
    wanted.update((str(name), str(text)) for name, text in declared.items() if text is not None)
    lines = ["# Added to every answer, but where the service has said it itself."]
    for name, text in wanted.items():
        variable = re.sub("[^a-z0-9]", "_", name.lower())
        lines += block("map $upstream_http_{0} $edge_header_{0}".format(variable), ['"" {0};'.format(value(text)), 'default "";'])
        lines.append("add_header {0} $edge_header_{1} always;".format(plain(name), variable))
    seconds = hsts(tls)
    if seconds:
        age = value("max-age={0}".format(seconds))
        lines += block('map "$https $upstream_http_strict_transport_security" $edge_hsts', ['"on " {0};'.format(age), 'default "";'])
        lines.append("add_header Strict-Transport-Security $edge_hsts always;")
    lines += ["# Of what a route allows, where it allows no more.", "add_header Allow $edge_allow always;"]
    return lines


def hsts(tls: model.Mapping) -> int:
    """For how many seconds browsers are told to come with https only."""
    if not tls:
        return 0
    unsure = tls.get("kind") == "self_signed" or tls.get("staging") is True
    return int(tls.get("hsts", 0 if unsure else _HSTS))
