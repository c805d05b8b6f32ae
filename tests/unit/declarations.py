# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared stacks made by hypothesis: valid ones in all their variety, and anything at all."""

from __future__ import annotations

from hypothesis import strategies as st

NAMES = ("api", "db", "edge", "job", "web-2", "a.b")
SECRETS = ("db_password", "key")
TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="$"), max_size=30)
WORD = st.text(alphabet="abcDE019:/._-", min_size=1, max_size=12)
OWNER = st.fixed_dictionaries(
    {"source": st.sampled_from(SECRETS)},
    optional={
        "uid": st.sampled_from(["10001", 70]),
        "gid": st.just("70"),
        "mode": st.sampled_from(["0400", "0440", "400"]),
        "target": st.none(),
    },
)
PORT = st.one_of(
    st.builds(lambda number: {"target": 8000, "published": number}, st.integers(1000, 60000)),
    st.builds("{0}:8000".format, st.integers(1000, 60000)),
    st.builds("{0}-{0}:53/udp".format, st.integers(1000, 60000)),
)
SERVICE = st.fixed_dictionaries(
    {"image": st.sampled_from(["nginx", "registry.test:5000/a/b_c:1.0", "postgres:17@sha256:" + "0" * 64])},
    optional={
        "command": st.one_of(TEXT, st.lists(TEXT, max_size=3)),
        "environment": st.dictionaries(st.sampled_from(["A", "B_FILE"]), st.one_of(TEXT, st.integers(), st.just(1.5))),
        "labels": st.one_of(st.dictionaries(WORD, TEXT, max_size=2), st.just(["a=b", "c"]), st.none()),
        "healthcheck": st.one_of(
            st.builds(lambda text: {"test": ["CMD-SHELL", text], "interval": "5s"}, TEXT),
            st.just({"disable": True}),
            st.just({"test": ["NONE"]}),
            st.just({"interval": "30s", "test": None}),
        ),
        "restart": st.sampled_from(["no", "always", "on-failure:3"]),
        "ports": st.lists(PORT, max_size=2),
        "profiles": st.sampled_from([[], ["on"], ["off"]]),
        "networks": st.sampled_from([["back"], {"front": {"aliases": ["x"]}, "default": None}]),
        "volumes": st.sampled_from([["data:/data"], ["/srv:/srv:ro", {"type": "volume", "source": "data", "target": "/d"}]]),
        "configs": st.sampled_from([["conf"], [{"source": "conf", "target": "/etc/conf"}]]),
        "secrets": st.one_of(st.just(["key"]), st.lists(OWNER, max_size=1)),
        "depends_on": st.one_of(
            st.lists(st.sampled_from(NAMES), unique=True, max_size=2),
            st.dictionaries(
                st.sampled_from(NAMES),
                st.sampled_from(
                    [
                        None,
                        {"condition": "service_started", "required": False},
                        {"condition": "service_healthy"},
                        {"condition": "service_completed_successfully", "restart": True},
                    ]
                ),
                max_size=2,
            ),
        ),
        "network_mode": st.sampled_from(["none", "service:db"]),
        "deploy": st.sampled_from([{"replicas": 2}, {"resources": {"reservations": {"cpus": "0.25", "memory": "1G"}}}]),
        "x-note": TEXT,
        "logging": st.just({"driver": "journald"}),
    },
)
# Most of them are accepted by no accident: what is referred to is declared.
STACKS = st.fixed_dictionaries(
    {
        "name": st.just("shop"),
        "services": st.dictionaries(st.sampled_from(NAMES), SERVICE, min_size=1, max_size=4),
        "networks": st.sampled_from(
            [{"back": None, "front": {"internal": True, "name": "shared"}}, {"back": {"external": True}, "front": {}, "default": {"driver": "bridge"}}]
        ),
        "volumes": st.sampled_from([{"data": {}}, {"data": {"name": "kept", "external": True}}]),
        "configs": st.builds(lambda text: {"conf": {"content": text}}, st.one_of(TEXT, st.just("a $b\n"))),
        "secrets": st.just({"db_password": {"generate": 32}, "key": {}}),
    },
    optional={
        "profiles": st.sampled_from([[], ["on"], ["*"], None]),
        "exposure": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["public", "loopback", "internal"]), max_size=3),
        "routes": st.none(),
        "secret_environment": st.dictionaries(
            st.sampled_from(NAMES),
            st.dictionaries(
                st.sampled_from(["DB_URL", "KEY"]),
                st.sampled_from(["key", {"secret": "db_password", "uid": 70}, {"secret": "db_password", "visible": True}]),
                max_size=2,
            ),
            max_size=2,
        ),
    },
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
ANYTHING = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), inner, max_size=3))
