# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._audit_routes import route_findings
from audit_facts import audit, nginx, server, tunnel

SHADOWED = 'ingress:\n  - hostname: a.example.com\n    path: ^/api\n    service: http://api\n  - hostname: a.example.com\n    path: ^/api/stream\n    service: http://sse\n'
LAST = "  - service: http_status:404\n"


def test_an_nginx_route_that_is_shadowed():
    found, routes, unseen = route_findings(audit(nginx=[nginx(server(("^~", "/api/"), ("~", "^/api/stream"), ("", "/")))]))
    (one,) = found
    assert (one["severity"], one["rule"], one["subject"]) == ("medium", "dead_route", "container web")
    assert one["what"].startswith("nginx of container web, /etc/nginx/nginx.conf, server example.com (/etc/nginx/conf.d/site.conf:1): locations[1]")
    assert one["what"].endswith("is answered by locations[0].") and one["remedy"].startswith("Move it above")
    assert routes == [{"place": "nginx of container web, /etc/nginx/nginx.conf", "running": True, "rules": ["example.com at 80: 3 locations"], "problems": 1}]
    assert unseen == []


def test_routes_that_are_well():
    assert route_findings(audit(nginx=[nginx(server(("", "/"), ("~", "^/api/stream")))], cloudflared=[tunnel("ingress:\n" + LAST)]))[0] == []


def test_a_cloudflared_route_that_is_shadowed():
    found, routes, _unseen = route_findings(audit(cloudflared=[tunnel(SHADOWED + LAST)]))
    (one,) = found
    assert (one["rule"], one["subject"]) == ("dead_route", "the host") and "rules[1]" in one["what"]
    assert routes[0]["rules"] == ["a.example.com path ^/api -> http://api", "a.example.com path ^/api/stream -> http://sse", "any host -> http_status:404"]


def test_what_yaml_1_1_would_make_of_it():
    text = "ingress:\n  - hostname: on\n    path: 22:22\n    service: http://a\n  - hostname: 2026-01-01\n    service: http://b\n" + LAST
    _found, routes, unseen = route_findings(audit(cloudflared=[tunnel(text)]))
    assert routes[0]["rules"][:2] == ["on path 22:22 -> http://a", "2026-01-01 -> http://b"] and unseen == []


@pytest.mark.parametrize("text", ["ingress: [\n", "ingress: text\n", "- a\n", "ingress:\n\t- x\n", "x: *a\n"])
def test_what_is_no_list_of_rules_is_told(text):
    found, routes, unseen = route_findings(audit(cloudflared=[tunnel(text)]))
    assert found == [] and routes == [] and unseen[0].startswith("The rules of cloudflared of the host, /etc/cloudflared/config.yml were not understood: ")


@pytest.mark.parametrize(("kind", "words"), [("token", "at Cloudflare"), ("url", "--url"), ("unknown", "not found")])
def test_rules_that_are_elsewhere(kind, words):
    found, routes, unseen = route_findings(audit(cloudflared=[tunnel(container="t", path="", elsewhere=kind)]))
    assert (found, routes) == ([], []) and words in unseen[0] and "container t" in unseen[0]


@pytest.mark.parametrize(
    ("first", "second", "severity"),
    [
        (server(), server(line=9), "medium"),
        (server(listens=["0.0.0.0:80"]), server(listens=[], line=9), "medium"),
        (server(), server(listens=["80", "443"], line=9), "low"),
        (server(names=["a", "B"]), server(names=["b", "c"], line=9), "low"),
        (server(), server(listens=["443"], line=9), ""),
        (server(listens=["[::]:80"]), server(line=9), ""),
        (server(listens=["127.0.0.1"]), server(line=9), ""),
        (server(names=["a"]), server(names=["b"], line=9), ""),
    ],
)
def test_servers_of_one_name(first, second, severity):
    found, _routes, _unseen = route_findings(audit(nginx=[nginx(first, second)]))
    assert [(one["rule"], one["severity"]) for one in found] == ([("conflicting_server", severity)] if severity else [])
    assert not found or ":9)" in found[0]["what"] and ":1," in found[0]["what"]
