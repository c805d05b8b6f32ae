# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.portside.stack.plugins.plugin_utils._status_report import status_report
from ansible_collections.portside.stack.plugins.plugin_utils._status_text import WIDTH
from hypothesis import given
from hypothesis import strategies as st
from status_facts import service, stack, status

SSH = {"user": "ops"}
FULL = stack(
    "shop",
    service("edge", exposure="public", reach="public", published=["0.0.0.0:80 -> 80/tcp", "[::]:80 -> 80/tcp"], cpu_percent=None, memory=None),
    service(
        "api",
        reach="public",
        via="edge",
        exposure="loopback",
        published=["127.0.0.1:8000 -> 8000/tcp"],
        routes=["prefix /api", "prefix /"],
        restarts=4,
        tunnel_to=[{"address": "127.0.0.1", "port": 8000}],
    ),
    service("db", health="unhealthy", memory=3 * 1024**3, memory_limit=None, cpu_limit=None, tunnel_to=[{"address": "172.20.0.5", "port": 5432}]),
    service("job", state="exited", exit_code=137, health="none", running=0),
    service("worker", state="exited", exit_code=None, containers=3, running=2, wanted=3),
    service("gone", state="missing", containers=0, running=0, health="none", image="x", digest=""),
    at_work={"purpose": "deploy", "who": "bob@desk (process 7)", "since": "2026-11-21T11:00:00Z", "after_stage": "render"},
    history=[
        {"event": "deployed", "time": "2026-11-20T10:00:00Z", "release": "a" * 16, "who": "ann", "from": "laptop", "seconds": 41.4},
        {"event": "rolled_back", "time": "2026-11-21T10:00:00Z", "release": "0123456789abcdef", "why": "carts vanish", "error": "boom"},
    ],
    certificates=[
        {"file": "a.pem", "hosts": ["shop.example.com"], "expires": "2026-12-01T00:00:00Z", "days": 9},
        {"file": "b.pem", "hosts": ["old.example.com"], "expires": "2026-11-01T00:00:00Z", "days": -20},
    ],
    orphans={"containers": ["shop-old-1"], "volumes": ["shop_old"]},
    can_roll_back_to=[
        {
            "id": "a" * 16,
            "verified": "2026-11-20T10:01:00Z",
            "schema": "moved",
            "databases": ["db/app"],
            "why": "",
            "dump_taken": "2026-11-20T09:59:00Z",
            "changes": [{"service": "api", "image": "api:1", "current": "api:2"}],
        }
    ],
    visible={"api": ["STRIPE_KEY"]},
    start={"recorded": "2026-11-21T10:00:00Z", "seconds": 34.2, "services": [{"service": "db", "begun": 1, "up": 12.6}, {"service": "api", "up": None}]},
    healing={"db": {"restarts": 5, "last": "2026-11-21T10:30:00Z", "next": None, "given_up": True, "why": "5 attempts"}},
    unseen=["The schemas cannot be told."],
)


def lines(*stacks, **keys):
    return status_report(status(*stacks, **keys), "box", SSH)["lines"]


def test_one_screen_has_all_there_is_to_know():
    assert lines(FULL) == [
        "shop: release 0123456789abcdef, since 2026-11-21T10:00:00Z by ann from laptop",
        "  AT WORK NOW: a deploy by bob@desk (process 7), since 2026-11-21T11:00:00Z, after the stage render",
        "  SERVICE  STATE         HEALTH     RESTARTS  IMAGE     DIGEST        CPU     MEMORY",
        "  edge     running       healthy    0         edge:1    aaaaaaaaaaaa  -/2     -/512M",
        "  api      running       healthy    4         api:1     aaaaaaaaaaaa  0.03/2  131M/512M",
        "  db       running       unhealthy  0         db:1      aaaaaaaaaaaa  0.03    3G",
        "  job      exited (137)  none       0         job:1     aaaaaaaaaaaa  0.03/2  131M/512M",
        "  worker   2/3 exited    healthy    0         worker:1  aaaaaaaaaaaa  0.03/2  131M/512M",
        "  gone     missing       none       0         x                       0.03/2  131M/512M",
        "",
        "  SERVICE  REACHED BY      AT                      ROUTES",
        "  edge     public          *:80 -> 80",
        "  api      public by edge  127.0.0.1:8000 -> 8000  prefix /api, prefix /",
        "",
        "  TUNNELS to what only the host reaches, each for localhost:PORT, the first number",
        "    api  ssh -N -L 8000:127.0.0.1:8000 ops@box",
        "    db   ssh -N -L 5432:172.20.0.5:5432 ops@box",
        "",
        "  certificate of shop.example.com: until 2026-12-01T00:00:00Z, 9 days left  <- soon",
        "  certificate of old.example.com: until 2026-11-01T00:00:00Z, ENDED 20 days ago  <- renew it",
        "  containers it does not mention any more: shop-old-1",
        "  volumes it does not mention any more: shop_old",
        "  secrets that docker inspect shows, as was chosen: api: STRIPE_KEY",
        "  self-healing of db: restarted 5 times, last 2026-11-21T10:30:00Z, GIVEN UP: 5 attempts",
        "  last start: 34 s, 2026-11-21T10:00:00Z; db took the longest, 12 s",
        "  can be rolled back to:",
        "    RELEASE           VERIFIED              DATABASES                            IMAGES THAT DIFFER",
        "    aaaaaaaaaaaaaaaa  2026-11-20T10:01:00Z  moved, dump of 2026-11-20T09:59:00Z  api api:1",
        "  last:",
        "    0123456789abcdef rolled back 2026-11-21T10:00:00Z: carts vanish: boom",
        "    aaaaaaaaaaaaaaaa deployed 2026-11-20T10:00:00Z by ann from laptop in 41 s",
        "  not seen:",
        "    The schemas cannot be told.",
    ]


def test_nothing_is_told_of_what_there_is_not():
    assert lines(stack("shop", release="", since="", by="")) == ["shop: no release is current"]
    assert lines() == ["box: no stack has a release here"]
    assert lines(stack("shop", since="", by=""), unseen=["No engine answers."]) == [
        "shop: release 0123456789abcdef",
        "",
        "  can be rolled back to nothing yet: no other release was verified here",
        "",
        "  not seen:",
        "    No engine answers.",
    ]


def test_a_command_that_does_not_fit_stands_alone_and_whole():
    found = status_report(status(FULL), "box", {"arguments": ["-F " + "/long" * 30]})["lines"]
    at = found.index("    db")
    assert found[at + 1] == "ssh -N -L 5432:172.20.0.5:5432 -F {0} box".format("/long" * 30)


WORDS = st.text(min_size=1, max_size=90)
SERVICES = st.builds(
    service,
    WORDS,
    state=WORDS,
    health=WORDS,
    image=WORDS,
    digest=WORDS,
    via=WORDS,
    restarts=st.integers(0, 10**9),
    cpu_percent=st.none() | st.floats(0, 10**5),
    memory=st.none() | st.integers(0, 2**60),
    published=st.lists(WORDS, max_size=3),
    routes=st.lists(WORDS, max_size=5),
    tunnel_to=st.lists(st.builds(dict, address=st.just("172.20.0.5"), port=st.integers(1, 65535)), max_size=3),
)
STACKS = st.builds(
    stack,
    WORDS,
    st.just([]),
    release=WORDS,
    by=WORDS,
    services=st.lists(SERVICES, max_size=4),
    history=st.lists(st.builds(dict, event=WORDS, who=WORDS, error=WORDS), max_size=3),
    certificates=st.lists(st.builds(dict, hosts=st.lists(WORDS, max_size=5), expires=WORDS, days=st.integers(-999, 999)), max_size=2),
    orphans=st.builds(dict, containers=st.lists(WORDS, max_size=4), volumes=st.lists(WORDS, max_size=4)),
    visible=st.dictionaries(WORDS, st.lists(WORDS, max_size=3), max_size=2),
    unseen=st.lists(WORDS, max_size=2),
)


@given(st.lists(STACKS, max_size=2))
def test_no_line_is_wider_or_has_what_a_terminal_obeys_and_every_service_is_told_once(stacks):
    report = status_report(status(*stacks), "box", {"arguments": ["-F " + "/long" * 20]})
    commands = {one["tunnel"] for each in report["status"]["stacks"] for one in each["services"]}
    for line in report["lines"]:
        assert len(line) <= WIDTH or line in commands
        assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in line)
    heads = [number for number, line in enumerate(report["lines"]) if line.startswith("  SERVICE") and " STATE" in line]
    told = [one for one in stacks if one["services"]]
    assert len(heads) == len(told)
    for head, one in zip(heads, told):
        rows = [line for line in report["lines"][head + 1 : head + 1 + len(one["services"])] if line.startswith("  ")]
        assert len(rows) == len(one["services"])
        assert (report["lines"] + [""])[head + 1 + len(rows)] == "" or not one["services"]
