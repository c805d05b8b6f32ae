# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_model import (
    Container,
    Port,
    container_of,
    services_of,
)
from ansible_collections.portside.stack.plugins.module_utils._compose_plan import make_plan, overlap, summary, voided
from ansible_collections.portside.stack.plugins.module_utils._container_drift import Difference
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError


def document(**services):
    """A document; digests are given as d, or are the service's own name."""
    body = {}
    for name, keys in services.items():
        keys = dict(keys)
        labels = {"portside.digest": keys.pop("d", name)}
        body[name] = dict({"image": "example/app:1", "restart": "unless-stopped", "labels": labels}, **keys)
    return {"name": "demo", "services": body, "volumes": {"data": {"name": "demo_data", "external": True}}}


def plan(services, containers=(), ledger=None, networks=None, void=(), changes=lambda _name, _digest: ""):
    found = services_of(document(**services))
    return make_plan(found, containers, ledger or {}, networks or {}, void, changes)


def steps(made):
    return [(action.service, action.action) for action in made.actions.values()]


def up(name, **keys):
    return Container(**dict({"id": name, "service": name, "digest": name, "image": "example/app:1"}, **keys))


def after(*names, condition="service_started"):
    return {name: {"condition": condition} for name in names}


def test_what_is_as_declared_is_left_alone():
    made = plan({"api": {}, "db": {}}, [up("api"), up("db")])
    assert not made.changed


def test_actions_come_dependencies_first():
    assert steps(plan({"api": {"depends_on": after("db")}, "db": {}})) == [("db", "create"), ("api", "create")]


def test_a_changed_dependency_leaves_an_unchanged_dependant_alone():
    made = plan({"api": {"depends_on": after("db")}, "db": {}}, [up("api"), up("db", digest="old")])
    assert steps(made) == [("db", "recreate")]


def test_a_changed_image_is_the_reason():
    made = plan({"api": {}}, [up("api", digest="old", image="example/app:0")])
    assert made.actions["api"].reason == "image example/app:0 -> example/app:1"


def test_what_is_known_to_have_changed_is_the_reason():
    asked = []

    def changes(name, digest):
        asked.append((name, digest))
        return "config edge.conf changed" if digest == "old" else ""

    made = plan({"api": {}, "migrate": ONESHOT}, [up("api", digest="old"), up("migrate", digest="old")], changes=changes)
    assert {action.reason for action in made.actions.values()} == {"config edge.conf changed"}
    # A container that nobody knows how it was made, as after an interrupted deploy.
    made = plan({"api": {}}, [up("api", digest="older")], changes=changes)
    assert made.actions["api"].reason == "its definition changed"
    assert ("migrate", "old") in asked


def test_the_reason_of_a_one_shot_whose_container_was_pruned_comes_from_the_ledger():
    ledger = {"migrate": {"done": {"old": {}}}}
    made = plan({"migrate": ONESHOT}, ledger=ledger, changes=lambda _name, digest: "image moved" if digest == "old" else "")
    assert made.actions["migrate"].reason == "image moved"


def test_a_container_without_our_digest_is_recreated():
    assert plan({"api": {}}, [up("api", digest="")]).actions["api"].reason == "was not made by this collection"


@pytest.mark.parametrize("state", ["exited", "created", "paused", "dead"])
def test_a_container_that_does_not_run_is_started(state):
    assert steps(plan({"api": {}}, [up("api", state=state)])) == [("api", "start")]


def test_a_restarting_container_is_awaited_not_acted_on():
    assert not plan({"api": {}}, [up("api", state="restarting")]).changed


def test_missing_replicas_are_created_and_surplus_ones_removed():
    assert steps(plan({"api": {"scale": 2}}, [up("api")])) == [("api", "create")]
    made = plan({"api": {"deploy": {"replicas": 1}}}, [up("api", id="1"), up("api", id="2", number=2)])
    assert steps(made) == [("api", "remove")]
    assert [container.id for container in made.actions["api"].surplus] == ["2"]


def test_of_an_interrupted_recreation_the_new_container_is_kept():
    containers = [up("api", id="old", digest="old"), up("api", id="new", state="created")]
    made = plan({"api": {}}, containers)
    assert steps(made) == [("api", "start")]
    assert [container.id for container in made.actions["api"].surplus] == ["old"]


def test_scale_zero_wants_no_container():
    assert not plan({"api": {"scale": 0}}).changed
    assert steps(plan({"api": {"scale": 0}}, [up("api")])) == [("api", "remove")]


def test_a_replaced_network_means_recreation():
    container = up("api", networks=(("demo_default", "1"),))
    assert not plan({"api": {}}, [container], networks={"demo_default": "1"}).changed
    made = plan({"api": {}}, [container], networks={"demo_default": "2"})
    assert made.actions["api"].reason == "network demo_default was replaced"


@pytest.mark.parametrize("key", ["network_mode", "ipc", "pid"])
def test_who_shares_a_namespace_is_recreated_with_its_owner(key):
    services = {"side": {key: "service:api"}, "api": {}}
    made = plan(services, [up("side"), up("api", digest="old")])
    assert steps(made) == [("api", "recreate"), ("side", "recreate")]
    assert not plan(services, [up("side"), up("api")]).changed


def test_depends_on_with_restart_is_recreated_with_its_dependency():
    need = {"db": {"condition": "service_started", "restart": True}}
    assert steps(plan({"api": {"depends_on": need}, "db": {}}, [up("api"), up("db", digest="old")])) == [
        ("db", "recreate"),
        ("api", "recreate"),
    ]


def test_a_container_that_is_off_its_network_is_made_anew():
    services = {"api": {"networks": ["back"]}}
    made = services_of({**document(**services), "networks": {"back": {"name": "demo_back", "external": True}}})
    on = up("api", networks=(("demo_back", "1"),))
    assert not make_plan(made, [on], {}, {"demo_back": "1"}).changed
    off = make_plan(made, [up("api")], {}, {"demo_back": "1"})
    assert off.actions["api"] == ("api", "recreate", "is not on network demo_back", False, ())


def test_services_that_swap_their_ports_make_room_first():
    def published(number):
        return {"ports": [{"target": 80, "published": number, "protocol": "tcp"}]}

    a = up("a", digest="old", ports=(Port("", 8000, 8000, "tcp"),))
    b = up("b", digest="old", ports=(Port("", 8001, 8001, "tcp"),))
    assert plan({"a": published("8001"), "b": published("8000")}, [a, b]).in_the_way == [a, b]
    assert plan({"a": published("8000"), "b": published("8002")}, [a, b]).in_the_way == []


ONESHOT = {"restart": "no"}
DONE = {"migrate": {"done": {"migrate": {"exit_code": 0, "finished": "x"}}}}


def test_a_recorded_one_shot_needs_no_container():
    assert not plan({"migrate": ONESHOT}, ledger=DONE).changed


@pytest.mark.parametrize("entry", [{"done": {"old": {}}}, {"done": {}}, {}])
def test_a_one_shot_that_never_completed_with_this_digest_runs(entry):
    assert steps(plan({"migrate": ONESHOT}, ledger={"migrate": entry})) == [("migrate", "run")]


def test_a_one_shot_that_completed_before_a_later_one_is_not_run_again_by_a_rollback():
    ledger = {"migrate": {"done": {"migrate": {}, "newer": {}}}}
    left = up("migrate", digest="newer", state="exited", exit_code=0)
    assert not plan({"migrate": ONESHOT}, [left], ledger=ledger).changed


def test_a_one_shot_of_another_release_that_still_runs_is_ended():
    newer = up("migrate", digest="newer")
    made = plan({"migrate": ONESHOT}, [newer, up("migrate")], ledger=DONE)
    assert steps(made) == [("migrate", "remove")]
    assert made.actions["migrate"].surplus == (newer,)


def test_a_one_shot_whose_work_is_lost_runs_again_whatever_is_left_of_it():
    old = up("migrate", state="exited", exit_code=0)
    for made in (
        plan({"migrate": ONESHOT}, [old], ledger=DONE, void={"migrate"}),
        # An earlier run noted the loss, and was interrupted.
        plan({"migrate": ONESHOT}, [old], ledger={"migrate": {"lost": True}}),
    ):
        assert steps(made) == [("migrate", "run")]
        assert not made.actions["migrate"].adopted and made.actions["migrate"].surplus == (old,)


def test_a_new_volume_voids_the_one_shots_that_work_on_it_and_no_others():
    services = services_of(
        document(
            db={"volumes": ["data:/var/lib/x"]},
            pool={"depends_on": after("db")},
            migrate={**ONESHOT, "depends_on": after("pool")},
            greet=ONESHOT,
        )
    )
    assert voided(services, {"demo_data"}) == {"migrate"}
    assert voided(services, {"demo_other"}) == set()


def test_a_one_shot_that_still_runs_or_has_just_completed_is_adopted():
    for container in (up("migrate"), up("migrate", state="exited", exit_code=0)):
        assert plan({"migrate": ONESHOT}, [container]).actions["migrate"].adopted


def test_a_failed_one_shot_is_run_again_without_its_old_container():
    made = plan({"migrate": ONESHOT}, [up("migrate", state="exited", exit_code=3)])
    assert not made.actions["migrate"].adopted
    assert made.actions["migrate"].reason == "has not completed: exited (3)"
    assert len(made.actions["migrate"].surplus) == 1


def test_a_completed_one_shot_of_an_older_digest_is_not_adopted():
    made = plan({"migrate": ONESHOT}, [up("migrate", digest="old", state="exited", exit_code=0)])
    assert not made.actions["migrate"].adopted


def test_an_orphan_goes_last_unless_it_is_in_the_way():
    port = {"target": 80, "published": "80", "protocol": "tcp"}
    services = {"edge": {"ports": [port]}, "db": {"volumes": ["data:/var/lib/x"]}, "api": {}}
    plain = up("old1")
    holds_port = up("old2", ports=(Port("127.0.0.1", 80, 80, "tcp"),))
    holds_data = up("old3", mounts=frozenset({"demo_data"}))
    made = plan(services, [plain, holds_port, holds_data])
    assert made.orphans_first == [holds_port, holds_data]
    assert made.orphans_last == [plain]
    assert [entry["service"] for entry in made.report()][:3] == ["old1", "old2", "old3"]


def test_an_orphan_whose_port_nobody_needs_now_goes_last():
    orphan = up("old", ports=(Port("", 80, 80, "tcp"),))
    assert plan({"api": {}}, [up("api"), orphan]).orphans_last == [orphan]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Port("", 80, 80, "tcp"), Port("127.0.0.1", 80, 80, "tcp"), True),
        (Port("0.0.0.0", 80, 80, "tcp"), Port("::", 80, 80, "tcp"), True),
        (Port("10.0.0.1", 80, 80, "tcp"), Port("127.0.0.1", 80, 80, "tcp"), False),
        (Port("", 80, 80, "tcp"), Port("", 80, 80, "udp"), False),
        (Port("", 80, 90, "tcp"), Port("", 90, 90, "tcp"), True),
        (Port("", 80, 89, "tcp"), Port("", 90, 90, "tcp"), False),
    ],
)
def test_overlap(one, other, expected):
    assert overlap(one, other) is overlap(other, one) is expected


def test_the_summary_has_a_line_for_each_service_that_differs_with_the_reason():
    services = services_of(document(api={"scale": 2}, db={}, new={}))
    containers = [
        up("api", digest="old", image="example/app:0"),
        up("api", id="2", number=2, digest="old", image="example/app:0", state="exited"),
        up("db"),
        up("gone", state="exited"),
    ]
    assert summary(containers, make_plan(services, containers, {}, {})) == {
        "before": "api: running, image example/app:0; exited (0), image example/app:0\n"
        "gone: exited (0), image example/app:1\n",
        "after": "api: recreated (image example/app:0 -> example/app:1)\n"
        "gone: removed (is not declared any more)\n"
        "new: created (has no container)\n",
    }


def test_a_circle_is_named():
    with pytest.raises(StackError, match="stack demo: .*a -> b -> a.*Remedy"):
        services_of(document(a={"depends_on": after("b")}, b={"depends_on": after("a")}))


def test_a_document_that_was_not_rendered_is_refused():
    with pytest.raises(StackError, match="service api carries no label portside.digest"):
        services_of({"name": "demo", "services": {"api": {"image": "x"}}})
    with pytest.raises(StackError, match="no name"):
        services_of({"services": {}})
    with pytest.raises(StackError, match="service api names no image"):
        services_of(document(api={"image": ""}))


def test_random_host_ports_are_not_ports_to_hold():
    ports = [{"target": 80}, {"target": 81, "published": "0"}, {"target": 82, "published": "8000-8002"}]
    assert services_of(document(api={"ports": ports}))["api"].ports == (Port("", 8000, 8002, "tcp"),)


def test_mounts_are_known_by_what_the_engine_calls_them():
    volumes = ["data:/a", {"type": "bind", "source": "/srv/x", "target": "/b"}, {"type": "tmpfs", "target": "/c"}]
    assert services_of(document(api={"volumes": volumes}))["api"].mounts == {"demo_data", "/srv/x"}


def inspection(**state):
    return {
        "Id": "abc",
        "Name": "/demo-api-2",
        "Image": "sha256:1",
        "RestartCount": 1,
        "Config": {
            "Image": "example/app:1",
            "Labels": {
                "com.docker.compose.service": "api",
                "com.docker.compose.container-number": "2",
                "portside.digest": "d1",
            },
        },
        "State": dict({"Status": "running", "ExitCode": 0, "StartedAt": "1970-01-01T00:01:40.5Z"}, **state),
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "81/tcp": None}},
        "NetworkSettings": {"Networks": {"demo_default": {"NetworkID": "n1"}}},
        "Mounts": [{"Type": "volume", "Name": "demo_data", "Source": "/var/lib"}, {"Type": "bind", "Source": "/srv/x"}],
    }


def test_a_container_from_its_inspection():
    health = {"Status": "unhealthy", "FailingStreak": 5, "Log": [{"ExitCode": 0}, {"ExitCode": 7, "Output": "no\n"}]}
    found = container_of(inspection(Health=health), 110.0)
    assert (found.name, found.service, found.number, found.digest) == ("demo-api-2", "api", 2, "d1")
    assert (found.health, found.failed_probes, found.probe) == ("unhealthy", 5, "exit 7: no")
    assert (found.uptime, found.restarts) == (9.5, 1)
    assert found.ports == (Port("", 8080, 8080, "tcp"),)
    assert found.mounts == {"demo_data", "/srv/x"}


def test_a_container_without_health_or_uptime():
    found = container_of(inspection(Status="exited", ExitCode=3, Health={"Status": "none"}), 110.0)
    assert (found.state, found.exit_code, found.health, found.uptime) == ("exited", 3, None, 0.0)


def test_a_clock_that_went_back_gives_no_negative_uptime():
    assert container_of(inspection(), 1.0).uptime == 0.0


def test_a_container_that_somebody_changed_is_made_anew_for_that_reason():
    drift = {"api": [Difference("limit", "memory limit is 1 GiB instead of 512 MiB", "512 MiB", "1 GiB")]}
    services = services_of(document(api={}, db={}))
    made = make_plan(services, [up("api"), up("db")], {}, {}, drift=drift)
    assert [(one.service, one.action, one.reason) for one in made.actions.values()] == [
        ("api", "recreate", "memory limit is 1 GiB instead of 512 MiB")
    ]


def test_of_two_containers_the_one_that_nobody_changed_stays():
    drift = {"1": [Difference("image", "runs image x instead of y", "y", "x")]}
    made = make_plan(services_of(document(api={})), [up("api", id="1"), up("api", id="2", number=2)], {}, {}, drift=drift)
    assert steps(made) == [("api", "remove")]
    assert [container.id for container in made.actions["api"].surplus] == ["1"]


def test_a_container_that_compose_does_not_see_goes_before_another_takes_its_name():
    made = make_plan(services_of(document(api={})), [up("api", id="1", foreign=True), up("api", id="2", number=2, foreign=True)], {}, {})
    assert [(one.action, one.reason) for one in made.actions.values()] == [("recreate", "was not made by Compose")]
    assert [container.id for container in made.actions["api"].surplus] == ["2", "1"]
