"""What users and operators find on a host that site.yml has converged."""

from __future__ import annotations

import json


def test_every_kind_of_request_is_served_through_the_edge(probe):
    done = probe()
    assert done.returncode == 0, done.stdout
    for said in ("POST", "GET", "task", "SSE", "WebSocket", "media"):
        assert said.lower() in done.stdout.lower(), done.stdout


def test_every_service_is_up(host):
    said = host.check_output("sudo docker compose -f /opt/stacks/selflink/current/compose.yaml ps --all --format json")
    services = {one["Service"]: one for one in map(json.loads, said.splitlines())}
    assert len(services) == 10
    assert {name: one["Health"] for name, one in services.items()} == dict.fromkeys(services, "healthy")


def test_the_migration_ran_once_and_is_recorded_with_its_dump(host):
    (entry,) = json.loads(host.check_output("sudo cat /opt/stacks/selflink/current/state/steps.json"))
    assert (entry["step"], entry["exit_code"]) == ("migrate", 0)
    assert entry["schema_before"] != entry["schema_after"]
    host.check_output("sudo test -s %s" % entry["dump"])


def test_a_person_with_only_a_shell_can_operate_it(host):
    said = host.check_output("cd /opt/stacks/selflink/current && sudo env -i docker compose ps --format json")
    states = {one["Service"]: one["State"] for one in map(json.loads, said.splitlines())}
    assert len(states) == 10 and set(states.values()) == {"running"}


def test_only_the_edge_is_published_to_everyone(host):
    listening = host.check_output("sudo ss -Hltn")
    everywhere = {
        line.split()[3].rsplit(":", 1)[1] for line in listening.splitlines() if not line.split()[3].startswith("127.")
    }
    assert everywhere == {"22", "80"}, listening
    for port in ("8000", "8001", "8002", "8080"):
        assert "127.0.0.1:%s " % port in listening


def test_rows_reach_postgres_through_pgbouncer_alone(host):
    ask = "sudo docker exec selflink-postgres-1 psql -U selflink -tAc "
    assert int(host.check_output(ask + "'select count(*) from posts_post'")) > 0
    clients = host.check_output(
        ask + "\"select distinct client_addr from pg_stat_activity where datname = 'selflink' and client_addr is not null\""
    )
    pooler = host.check_output(
        "sudo docker inspect selflink-pgbouncer-1 --format '{{(index .NetworkSettings.Networks \"selflink_default\").IPAddress}}'"
    )
    assert clients.split() == [pooler]
