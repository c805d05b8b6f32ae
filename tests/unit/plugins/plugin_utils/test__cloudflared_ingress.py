# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import yaml
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_ingress import REFUSED, cloudflared_ingress
from ansible_collections.portside.stack.plugins.plugin_utils._cloudflared_problems import cloudflared_problems
from ansible_collections.portside.stack.plugins.plugin_utils._yaml_text import yaml_text

ID = "6ff42ae2-765d-4adf-8112-31c55c1551ef"
FIRST = {"path": REFUSED, "service": "http_status:400"}
LAST = {"service": "http_status:404"}


def stack(routes, **edge):
    services = {name: {} for name in ("api", "asgi", "realtime", "media")}
    return {"name": "shop", "services": services, "edge": {"kind": "cloudflared", "tunnel": ID, "credentials": "t", **edge}, "routes": routes}


def rules(routes, **edge):
    found = cloudflared_ingress(stack(routes, **edge))["ingress"]
    assert found[0] == FIRST
    return found[1:]


def to(service, port=8000, **options):
    return {"service": service, "port": port, **options}


def test_an_order_that_people_mean_is_kept():
    routes = [
        to("realtime", 8001, path="/ws*", stream="websocket"),
        to("asgi", 8001, prefix="/api/v1/mentor/stream", stream="sse"),
        to("media", 8080, path="/media/*"),
        to("api", path="/api*"),
        to("api", prefix="/"),
    ]
    assert rules(routes) == [
        {"path": "^/ws(?:/|\\z)", "service": "http://realtime:8001"},
        {"path": "^/api/v1/mentor/stream(?:/|\\z)", "service": "http://asgi:8001"},
        {"path": "^/media/", "service": "http://media:8080"},
        {"path": "^/api(?:/|\\z)", "service": "http://api:8000"},
        {"service": "http://api:8000"},
    ]


def test_what_no_route_takes_is_not_found():
    assert rules([to("api", exact="/a.b-c+ é")]) == [{"path": "^/a\\.b-c\\+\\ é\\z", "service": "http://api:8000"}, LAST]
    assert rules([to("api", regex="/x/[0-9]+|/y")]) == [{"path": "^(?:/x/[0-9]+|/y)\\z", "service": "http://api:8000"}, LAST]
    assert rules([to("api")], hosts=["one.test"]) == [{"hostname": "one.test", "service": "http://api:8000"}, LAST]


def test_a_route_without_a_host_is_for_all_that_are_known():
    routes = [to("api", prefix="/a"), to("media", host="*.two.test", prefix="/")]
    assert rules(routes, hosts=["one.test", "x.two.test"]) == [
        {"hostname": "one.test", "path": "^/a(?:/|\\z)", "service": "http://api:8000"},
        # x.two.test is among them.
        {"hostname": "*.two.test", "path": "^/a(?:/|\\z)", "service": "http://api:8000"},
        {"hostname": "*.two.test", "service": "http://media:8000"},
        LAST,
    ]


def test_nothing_stands_behind_a_rule_for_everything():
    # cloudflared does not start with such a rule in the middle.
    assert rules([to("api"), to("media", prefix="/x")]) == [{"service": "http://api:8000"}]


def test_other_targets():
    routes = [{"prefix": "/a", "url": "https://a.test:8443"}, {"exact": "/gone", "respond": 410}, {"url": "http://10.0.0.5"}]
    assert rules(routes) == [
        {"path": "^/a(?:/|\\z)", "service": "https://a.test:8443", "originRequest": {"httpHostHeader": "a.test:8443"}},
        {"path": "^/gone\\z", "service": "http_status:410"},
        {"service": "http://10.0.0.5", "originRequest": {"httpHostHeader": "10.0.0.5"}},
    ]


def test_a_tunnel_in_front_of_nginx_leads_everything_there():
    declared = stack([to("api", prefix="/a", methods=["GET"])], kind="nginx", service="front")
    assert cloudflared_ingress(declared)["ingress"] == [FIRST, {"service": "http://front:80"}]


@pytest.mark.parametrize(
    "routes",
    [
        [to("api", prefix="/")],
        [to("api", prefix="/a"), to("media", exact="/b"), to("asgi", regex="/c/.*", stream="sse"), {"exact": "/d", "respond": 404}],
        [to("api", host="one.test"), to("media", host="*.one.test", prefix="/é")],
    ],
)
@pytest.mark.parametrize("hosts", [[], ["one.test", "*.two.test"]])
def test_cloudflared_finds_nothing_wrong_with_it(routes, hosts):
    found = cloudflared_ingress(stack(routes, hosts=hosts))
    assert cloudflared_problems(found["ingress"]) == []
    assert set(found) == {"tunnel", "credentials-file", "originRequest", "ingress"}
    assert yaml.safe_load(yaml_text(found)) == found


@pytest.mark.parametrize(
    ("route", "what"),
    [
        (to("api", methods=["GET"]), "methods"),
        (to("api", rate_limit="1r/s"), "rate_limit"),
        (to("api", max_body="1m"), "max_body"),
        (to("api", prefix="/x", strip_prefix=True), "strip_prefix"),
        (to("api", timeout=5), "timeout"),
        ({"redirect": "/x"}, "redirect"),
        ({"respond": {"status": 200, "body": "x"}}, "respond"),
    ],
)
def test_what_cloudflared_cannot_do_is_not_left_out_in_silence(route, what):
    with pytest.raises(StackError, match=r"stack 'shop', key 'routes\[1\].{0}': cloudflared .*use kind: nginx".format(what)):
        rules([to("media", prefix="/first"), route])


def test_a_stack_without_a_tunnel_is_refused():
    with pytest.raises(StackError, match="it has no tunnel"):
        cloudflared_ingress({"name": "shop", "services": {}, "edge": {"kind": "nginx"}, "routes": []})
