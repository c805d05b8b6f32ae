# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

from ansible_collections.portside.stack.plugins.module_utils._metrics_requests import Counted
from ansible_collections.portside.stack.plugins.module_utils._metrics_text import CertificateFacts, HostFacts, ServiceFacts, metrics_text
from hypothesis import given
from hypothesis import strategies as st

FACTS = HostFacts(
    services=[ServiceFacts("shop", "api", True, 2), ServiceFacts("shop", "db", False, 0)],
    certificates=[CertificateFacts("shop", ("example.com", "www.example.com"), 1800000000.0)],
    deploying={"shop": False, "site": True},
    healing={"shop/api": {"restarts": 3, "given_up": True, "why": "it says no"}},
    requests={"shop/edge": Counted({"2": 5, "5": 1}, 6, 1.25, (1, 2, 3, 4, 5, 6, 6, 6)), "shop/web": Counted({"2": 1})},
)
# The text format: a name, labels, a number.
SAMPLE = re.compile(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,|(?=\})))*)\} (-?[0-9.]+(?:e[+-]?[0-9]+)?)\Z')


def samples(text):
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_each_fact_is_a_line():
    assert samples(metrics_text(FACTS)) == [
        'portside_service_up{stack="shop",service="api"} 1',
        'portside_service_up{stack="shop",service="db"} 0',
        'portside_service_restarts_total{stack="shop",service="api"} 2',
        'portside_service_restarts_total{stack="shop",service="db"} 0',
        'portside_healing_restarts_total{stack="shop",service="api"} 3',
        'portside_healing_given_up{stack="shop",service="api"} 1',
        'portside_certificate_expiry_timestamp_seconds{stack="shop",names="example.com www.example.com"} 1800000000',
        'portside_deploying{stack="shop"} 0',
        'portside_deploying{stack="site"} 1',
        'portside_http_responses_total{stack="shop",service="edge",code="2xx"} 5',
        'portside_http_responses_total{stack="shop",service="edge",code="5xx"} 1',
        'portside_http_responses_total{stack="shop",service="web",code="2xx"} 1',
        'portside_http_request_seconds_bucket{stack="shop",service="edge",le="0.05"} 1',
        'portside_http_request_seconds_bucket{stack="shop",service="edge",le="0.1"} 2',
        'portside_http_request_seconds_bucket{stack="shop",service="edge",le="0.25"} 3',
        'portside_http_request_seconds_bucket{stack="shop",service="edge",le="0.5"} 4',
        'portside_http_request_seconds_bucket{stack="shop",service="edge",le="1.0"} 5',
        'portside_http_request_seconds_bucket{stack="shop",service="edge",le="2.5"} 6',
        'portside_http_request_seconds_bucket{stack="shop",service="edge",le="5.0"} 6',
        'portside_http_request_seconds_bucket{stack="shop",service="edge",le="10.0"} 6',
        'portside_http_request_seconds_bucket{stack="shop",service="edge",le="+Inf"} 6',
        'portside_http_request_seconds_sum{stack="shop",service="edge"} 1.25',
        'portside_http_request_seconds_count{stack="shop",service="edge"} 6',
    ]


def test_each_metric_is_described_once_before_its_lines():
    text = metrics_text(FACTS)
    described = re.findall(r"^# TYPE (\S+) (gauge|counter|histogram)$", text, re.MULTILINE)
    assert len(described) == len(set(described)) == text.count("# HELP ")
    assert {name for name, kind in described if kind == "counter"} == {name for name, _kind in described if name.endswith("_total")}
    names = {re.match(r"[a-z_]+?(?=(_bucket|_sum|_count)?\{)", line).group() for line in samples(text)}
    assert names == {name for name, _kind in described}


def test_a_host_without_stacks_tells_nothing_of_any():
    assert samples(metrics_text(HostFacts())) == []


@given(st.text(), st.text(), st.integers(0, 10**6), st.floats(0, 4e9))
def test_whatever_names_there_are_lines_stay_lines(stack, name, restarts, until):
    facts = HostFacts([ServiceFacts(stack, name, True, restarts)], [CertificateFacts(stack, (name,), until)])
    lines = [line for line in metrics_text(facts).split("\n")[:-1] if not line.startswith("# ")]
    assert len(lines) == 3
    assert all(SAMPLE.match(line) for line in lines), lines
