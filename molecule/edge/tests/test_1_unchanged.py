"""What the first run left, and that a second one has nothing to do."""

from __future__ import annotations

import json

from edges import ROOT


def test_a_second_run_changes_nothing(second):
    assert second.changed == 0, second.output


def test_every_service_is_healthy(site, second):
    states = {name: one["State"]["Health"]["Status"] for name, one in site.containers().items()}
    assert len(states) == 13 and set(states.values()) == {"healthy"}, states


def test_only_edges_are_published(site, second):
    bindings = {name: one["HostConfig"]["PortBindings"] for name, one in site.containers().items()}
    published = {name: sorted(bound["HostPort"] for bounds in ports.values() for bound in bounds) for name, ports in bindings.items() if ports}
    assert published == {"front/edge": ["443", "80"], "appstack/edge": ["8081"]}


def test_keys_and_credentials_are_for_those_who_need_them_alone(site, second):
    modes = site.sh(f"find {ROOT}/front/edge -printf '%m %u %P\\n' | sort").splitlines()
    assert {"755 root ", "644 root nginx.conf", "700 root certificates", "600 root certificates/acme.pem"} <= set(modes), modes
    assert site.sh(f"find {ROOT}/tunnel/secrets/tunnel_credentials -name '*-65532-*' -printf '%m %U'") == "400 65532"


def test_the_release_is_a_record_of_its_edge(site, second):
    served, kept = (site.sh(f"cat {ROOT}/front/{path}") for path in ("edge/nginx.conf", "current/edge/nginx.conf"))
    assert served == kept
    rules = site.sh("docker exec tunnel-edge-1 cat /etc/cloudflared/config.yml")
    assert json.dumps(rules).count("http_status:404") == 1 and "/ws*" not in rules


def test_a_tunnel_leads_to_the_nginx_of_its_own_stack(hidden, tunnelled):
    # On the network where stacks meet each has a service of that name.
    assert {hidden.ask("http://hidden.test/").service for _ in range(10)} == {"example-web:3000"}
