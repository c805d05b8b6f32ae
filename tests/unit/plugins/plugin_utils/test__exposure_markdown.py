# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import textwrap

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._exposure_markdown import as_markdown, as_text
from ansible_collections.portside.stack.plugins.plugin_utils._exposure_table import exposure_table
from hypothesis import given
from hypothesis import strategies as st

STACK = {
    "name": "shop",
    "services": {"api": {"image": "x", "ports": ["8000:8000"]}, "db": {"image": "x"}, "setup": {"image": "x", "restart": "no"}},
    "edge": {"kind": "nginx"},
    "exposure": {"edge": "public", "api": "loopback"},
    "routes": [{"regex": "/(a|b)\\.c", "service": "api", "port": 8000}, {"service": "api", "port": 8000}],
}
# Systems that people wrote such tables for: what is exposed there, with the port of the host.
INTERNAL = ["cms-database", "cache", "vault", "task-worker", "task-scheduler", "prometheus", "loki", "promtail", "cadvisor", "vault-setup", "cms-setup"]
DEVELOPMENT = {"api": ("Yes", "8000"), "cms": ("Yes", "8055"), "grafana": ("Yes", "3001"), **dict.fromkeys(INTERNAL, ("No", "-"))}
PRODUCTION = {"api": ("Yes (via proxy)", "-"), **dict.fromkeys(["cms", "grafana", *INTERNAL], ("No", "-"))}


def row(**others):
    first = {"service": "a", "exposure": "internal", "published": "", "target": None, "protocol": "", "routes": [], "reach": "internal", "via": "", "note": ""}
    return {**first, **others}


def test_the_table_for_documents():
    assert exposure_table(STACK, format="markdown") == textwrap.dedent(
        r"""
        | Service | Exposed to the internet | Host port      | Container port | Routes                           | Note      |
        | ------- | ----------------------- | -------------- | -------------- | -------------------------------- | --------- |
        | `api`   | Yes (via edge)          | 127.0.0.1:8000 | 8000/tcp       | `regex /(?:a\|b)\.c`, `prefix /` | -         |
        | `db`    | No                      | -              | -              | -                                | -         |
        | `setup` | No                      | -              | -              | -                                | runs once |
        | `edge`  | Yes                     | 80             | 80/tcp         | -                                | -         |
        """
    ).lstrip("\n")


def test_the_table_for_terminals():
    assert exposure_table(STACK, format="text").splitlines()[1:3] == [
        r"api      Yes (via edge)           127.0.0.1:8000  8000/tcp        regex /(?:a|b)\.c, prefix /  -",
        r"db       No                       -               -               -                            -",
    ]


@pytest.mark.parametrize(
    ("reach", "via", "words"),
    [
        ("public", "", "Yes"),
        ("public", "front/edge", "Yes (via front/edge)"),
        ("loopback", "", "No (this host only)"),
        ("loopback", "edge", "No (this host only, via edge)"),
        ("internal", "", "No"),
    ],
)
def test_yes_or_no_comes_first(reach, via, words):
    assert "  {0}  ".format(words) in as_text([row(reach=reach, via=via)]).splitlines()[1].replace(" -", "  -")


@pytest.mark.parametrize("routes", [[], ["prefix /"]])
def test_tables_that_people_wrote_come_out_row_by_row(routes):
    exposed = PRODUCTION if routes else DEVELOPMENT
    ports = {"api": ["8000:8000"], "cms": ["8055:8055"], "grafana": ["3001:3000"]}
    stack = {
        "name": "openmates",
        "services": {name: {"image": "x", **({"ports": ports[name]} if name in ports else {})} for name in exposed},
        "exposure": {"proxy": "public"} if routes else dict.fromkeys(ports, "public"),
        **({"edge": {"kind": "nginx", "service": "proxy"}, "routes": [{"service": "api", "port": 8000}]} if routes else {}),
    }
    lines = [re.split(r" *\| *", line)[1:4] for line in exposure_table(stack, format="markdown").splitlines()[2:]]
    assert {service.strip("`"): (yes, port) for service, yes, port in lines if service != "`proxy`"} == exposed


def test_what_would_end_a_cell_or_a_line_does_not():
    table = as_markdown([row(service="a", routes=["prefix /a|b", "prefix /`x`", "prefix /\n/"], note="of its own on a|b_c (macvlan)")])
    assert "`prefix /a\\|b`, `` prefix /`x` ``, `prefix /?/`" in table
    assert "of its own on a\\|b\\_c (macvlan)" in table
    assert len(table.splitlines()) == 3


def test_an_empty_table_has_its_heading():
    assert len(as_markdown([]).splitlines()) == 2
    assert as_text([]).startswith("SERVICE  EXPOSED TO THE INTERNET")


ROWS = st.lists(
    st.builds(
        row,
        service=st.text(min_size=1),
        published=st.sampled_from(["", "80", "127.0.0.1:80"]),
        target=st.one_of(st.none(), st.integers(1, 65535)),
        routes=st.lists(st.text(min_size=1), max_size=3),
        reach=st.sampled_from(["public", "loopback", "internal"]),
        via=st.sampled_from(["", "edge", "a|b/edge"]),
        note=st.text(),
    )
)


@given(ROWS)
def test_whatever_is_in_it_every_line_has_every_column(rows):
    lines = as_markdown(rows).split("\n")[:-1]
    assert len(lines) == len(as_markdown(rows).splitlines()) == len(rows) + 2
    # What is escaped is no border.
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines} == {7}
    assert len({len(line) for line in lines}) == 1
    assert len(as_text(rows).splitlines()) == len(rows) + 1
