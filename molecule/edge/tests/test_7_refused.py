"""What is refused: before anything is touched, by the program itself, and when a reload does not take."""

from __future__ import annotations

import re

import pytest
from edges import PLACES, eventually, problems

TRAP = [{"host": "self.test", "path": "/api*", "service": "api", "port": 8000}]
BACKEND = {"service": "backend", "port": 8000}
# Each with what has to be said of it, at its position.
BAD_ROUTES = [
    ({"prefix": "/0", "service": "nobody", "port": 8000}, "nobody"),
    ({"regex": "/1(?=x)", **BACKEND}, r"\(\?="),
    ({"path": "/2*/x", **BACKEND}, "path"),
    ({"prefix": "/3/../x", **BACKEND}, r"\.\."),
    ({"exact": "/.well-known/acme-challenge/x", **BACKEND}, "acme-challenge"),
    ({"prefix": "/5", **BACKEND, "redirect": "https://x.test"}, "redirect"),
    ({"exact": "/6", **BACKEND, "strip_prefix": True}, "strip_prefix"),
    ({"prefix": "/7", **BACKEND, "rate_limit": "ten per second"}, "rate"),
    ({"prefix": "/8", **BACKEND, "host": "http://x.test"}, "host"),
    ({"prefix": "/9", "exact": "/9", **BACKEND}, "exact"),
    ({"prefix": "/10", **BACKEND, "stack": "elsewhere"}, "elsewhere"),
    ({"prefix": "/11", "service": "edge", "port": 80}, "edge"),
    ({"prefix": "/12", **BACKEND, "max_body": "many"}, "max_body"),
    ({"prefix": "/13", "redirect": {"to": "https://x.test", "status": 200}}, "200"),
    ({"prefix": "/14%2F", **BACKEND}, "%"),
    ({"prefix": "/15"}, "service"),
]
# Nobody else gets a certificate meanwhile.
HOLD = """
import fcntl, time
locks = [open(home + "/.certbot.lock", "w") for home in ("/etc/letsencrypt", "/var/lib/letsencrypt")]
for lock in locks:
    fcntl.lockf(lock, fcntl.LOCK_EX)
time.sleep(300)
"""
OVERRIDES = {
    "appstack": {"routes": [route for route, _words in BAD_ROUTES]},
    "tunnel": {"routes": [{"prefix": "/", "service": "api", "port": 8000, "stack": "front", "rate_limit": "1r/s"}]},
    "website": {"edge": {"tls": {"kind": "self_signed"}}},
}


@pytest.fixture()
def untouched(site, second):
    """Everything of the stacks on the host, to be compared."""

    def look() -> tuple:
        return site.started(), site.kept()

    return look


@pytest.fixture(scope="module")
def refused(site, second):
    """One run with all of it; what it says of each stack."""
    before = site.kept()
    done = site.deploy(edge_more_routes=TRAP, stack_overrides=OVERRIDES)
    assert done.code != 0
    assert site.kept() == before
    found = {}
    for line in problems(done.output):
        for stack in re.findall(r"stack '(\w+)'", line)[:1]:
            found.setdefault(stack, []).append(line)
    return found


def test_the_order_in_which_a_stream_never_answers_is_refused_with_both_routes_and_a_path(refused):
    said = [line for line in refused["front"] if "routes[2]" in line]
    assert len(said) == 1, refused["front"]
    for word in ("/api/v1/mentor/stream", "asgi:8001", "routes[0]", "api:8000"):
        assert word in said[0], said


@pytest.mark.parametrize("index", range(len(BAD_ROUTES)))
def test_each_bad_route_is_named_with_its_position(refused, index):
    assert [line for line in refused["appstack"] if f"routes[{index}]" in line and re.search(BAD_ROUTES[index][1], line)], "\n".join(refused["appstack"])


def test_what_an_edge_cannot_do_is_refused(refused):
    assert any("rate_limit" in line and "cloudflared" in line for line in refused["tunnel"]), refused["tunnel"]
    assert any("edge.tls" in line for line in refused["website"]), refused["website"]


def test_a_configuration_that_the_image_does_not_take_is_refused_before_anything_is_touched(site, untouched):
    # An nginx as many have it: without the user that the official image has.
    site.sh("docker run --name strange nginx:1.26 userdel nginx && docker commit --change 'CMD [\"nginx\"]' strange portside/strange:1 && docker rm strange")
    before = untouched()
    done = site.deploy("appstack", edge_nginx="portside/strange:1")
    assert done.code != 0
    assert not done.lacks("appstack", "service edge", r"getpwnam\(.*nginx.*failed"), done.output
    assert untouched() == before
    assert site.appstack().ask("http://app.test/").service == "frontend:5173"


@pytest.mark.slow
def test_a_port_that_is_busy_is_noticed_and_what_was_served_stays(site, second):
    # An edge that is new listens on 80 alone until there is a certificate; a neighbour in its network takes 443 meanwhile.
    site.sh("docker rm --force appstack-edge-1")
    authority = "s/:14000/:14001/; s/:15000/:15001/; s/: 80,/: 8081,/"
    site.sh(f"sed '{authority}' /etc/pebble/config.json > /etc/pebble/second.json")
    site.sh("systemd-run --quiet --unit authority --setenv PEBBLE_VA_NOSLEEP=1 pebble -config /etc/pebble/second.json")
    site.sh(f"systemd-run --quiet --unit certbot-waits python3 -c '{HOLD}'")
    asks = {**PLACES, "edge": {"tls": {"kind": "acme", "directory_url": "https://127.0.0.1:14001/dir"}, "hosts": ["app.test"]}}
    try:
        release, run = site.current("appstack"), site.start("deploy", edge_only=["appstack"], stack_overrides={"appstack": asks})
        pid = eventually("the edge is there", lambda: site.containers().get("appstack/edge", {}).get("State", {}).get("Pid"), 60)
        site.sh(f"systemd-run --quiet --unit neighbour nsenter --target {pid} --net python3 -m http.server 443")
        site.sh(f"timeout 20 sh -c 'until nsenter --target {pid} --net ss -Hltn | grep -q :443; do sleep 0.1; done'; systemctl stop certbot-waits")
        done = run.end()
    finally:
        site.sh("systemctl stop certbot-waits neighbour authority 2>/dev/null || true")
    assert done.code != 0
    assert not done.lacks("appstack", "service edge", r"bind\(\) to 0.0.0.0:443 failed.*in use"), done.output
    assert site.current("appstack") == release
    assert site.appstack().ask("http://app.test/").service == "frontend:5173"
    # certbot got it, and would fail to renew it for ever.
    assert "portside-appstack" not in site.sh("certbot certificates 2>/dev/null")
    assert site.sh("ls /etc/letsencrypt/live").count("portside-appstack") == 1
