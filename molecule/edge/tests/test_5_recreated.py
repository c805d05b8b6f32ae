"""A container that is made anew behind a running edge."""

from __future__ import annotations

import pytest
from edges import ROOT, asking, eventually

COMPOSE = f"docker compose --file {ROOT}/front/current/compose.yaml"


@pytest.fixture()
def occupied(site):
    """Containers that take the addresses which become free, so that nobody gets an old one again."""
    names = []

    def take(address: str) -> None:
        for _ in range(8):
            name = f"occupier-{len(names)}"
            site.sh(f"docker run --detach --name {name} --network bndventures-network --entrypoint sleep nginx:1.26 infinity")
            names.append(name)
            form = "'{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'"
            if site.sh(f"docker inspect {name} --format {form}") == address:
                return

    yield take
    if names:
        site.sh(f"docker rm --force {' '.join(names)}")


def test_requests_reach_a_recreated_api_without_a_restart_of_the_edge(site, front, occupied):
    def api():
        return front.ask("https://self.test/api/x")

    def others():
        return front.ask("https://self.test/api/v1/mentor/stream/x")

    before, old, address = site.started("front", "tunnel"), api().told["container"], site.address("front/api")
    with asking(api, others) as (to_api, to_others):
        site.sh(f"{COMPOSE} stop api")
        occupied(address)
        site.sh(f"{COMPOSE} up --detach --no-deps --force-recreate api")
        new = eventually("the new container answers", lambda: (answer := api()).status == 200 and answer.told["container"])
        # Each of nginx's processes asks for the address by itself, a moment later; from then on nobody is led to where the old one was.
        eventually("all processes have the new address", lambda: all(api().status == 200 for _ in range(30)), 10)
        assert {api().told["container"] for _ in range(30)} == {new}
    assert new != old
    assert site.address("front/api") != address
    assert set(to_others) == {200} and to_others[200] > 10, to_others
    assert set(to_api) <= {200, 502, 504}, to_api
    after = site.started("front", "tunnel")
    assert {service for service in after if after[service] != before[service]} == {"front/api"}
    # The tunnel finds it as well.
    assert site.tunnel().ask("http://self.test/api/x").told["container"] == new
