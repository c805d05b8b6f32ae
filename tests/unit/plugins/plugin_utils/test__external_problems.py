# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._external_problems import external_problems, stack_externals
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from hypothesis import given
from hypothesis import strategies as st

DATABASE = {"kind": "postgresql", "secret": "database_url"}
MAIL = {"kind": "tcp", "host": "mail.example.com", "port": 587}
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["tcp", "redis", "database_url", "api", "default"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["kind", "secret", "host", "port", "network", "x"]), inner)),
    max_leaves=6,
)


def stack(external, **keys):
    found = {
        "name": "shop",
        "services": {"api": {"image": "example/api:1"}, "db": {"image": "postgres:17"}},
        "secrets": {"database_url": {}, "password": {"generate": 32}},
        "external": external,
    }
    return dict(found, **keys)


def problems(external, **keys):
    found = []
    declared = stack(external, **keys)
    external_problems(Report("shop", found), declared, declared["services"], declared["services"])
    return found


def test_what_is_right_has_no_problem_and_becomes_the_options_of_the_module():
    declared = stack({"database": DATABASE, "mail": dict(MAIL, port="587")})
    assert stack_problems([declared]) == []
    found = stack_externals(declared)
    assert found["stack"] == "shop"
    assert found["external"] == [
        {"name": "database", "kind": "postgresql", "network": "shop_default", "secret": "database_url"},
        {"name": "mail", "kind": "tcp", "network": "shop_default", "host": "mail.example.com", "port": 587},
    ]
    assert found["networks"]["shop_default"]["driver"] == "bridge"
    assert found["secrets"] == {"database_url": {}}


def test_a_composed_url_brings_its_parts():
    secrets = {"url": {"template": "redis://:{password}@cache.example.com"}, "password": {"generate": 32}, "other": {}}
    declared = stack({"cache": {"kind": "redis", "secret": "url"}}, secrets=secrets)
    assert problems(declared["external"], secrets=secrets) == []
    assert sorted(stack_externals(declared)["secrets"]) == ["password", "url"]


@pytest.mark.parametrize(
    ("networks", "given", "expected"),
    [
        ([["back"], ["front", "back"]], None, "shop_back"),
        ([["back"], {"default": None}], None, "shop_default"),
        ([["back"], ["front"]], "front", "shared"),
        ([None, ["front"]], None, "shop_default"),
    ],
)
def test_it_is_tried_from_a_network_that_services_join(networks, given, expected):
    services = {name: {"image": "x", **({"networks": one} if one else {})} for name, one in zip("ab", networks)}
    keys = {"services": services, "networks": {"back": {}, "front": {"external": True, "name": "shared"}}}
    declared = stack({"mail": dict(MAIL, **({"network": given} if given else {}))}, **keys)
    assert problems(declared["external"], services=services) == []
    found = stack_externals(declared)
    assert found["external"][0]["network"] == expected
    assert list(found["networks"]) == ([] if expected == "shared" else [expected])


def test_a_stack_on_the_hosts_own_network_tries_from_there():
    declared = stack({"mail": MAIL}, services={"api": {"image": "x", "network_mode": "host"}})
    assert stack_externals(declared)["external"][0]["network"] == "host"
    assert stack_externals(declared)["networks"] == {}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (3, "value 3 is not a mapping; write {kind: postgresql"),
        ({}, "None is not a kind of external service"),
        ({"kind": "postgres", "secret": "database_url"}, "did you mean 'postgresql'?"),
        ({"kind": "redis"}, "it has no secret; add secret: ..."),
        ({"kind": "redis", "secret": "databse_url"}, "'databse_url' is not a declared secret; did you mean 'database_url'?"),
        (dict(DATABASE, host="x"), "host is not asked for with kind postgresql"),
        (dict(MAIL, secret="database_url"), "secret is not asked for with kind tcp; write host and port"),
        ({"kind": "tls", "host": "a.example.com"}, "it has no port; add port: ..., where it is"),
        (dict(MAIL, host="https://mail.example.com"), "host 'https://mail.example.com' is not the name or address"),
        (dict(MAIL, host="mail.example.com:587"), "the port goes into `port`"),
        (dict(MAIL, port=70000), "port 70000 is not a port"),
        (dict(MAIL, port=True), "port true is not a port"),
        (dict(MAIL, host="db"), "'db' is a service of this stack"),
        (dict(MAIL, network="defalt"), "'defalt' is not a network that a service joins; did you mean 'default'?"),
        (dict(MAIL, hots="x"), "'hots' is not a key of an external service; did you mean 'host'?"),
    ],
)
def test_what_is_wrong_is_named(options, said):
    (problem,) = problems({"it": options})
    assert problem.startswith("stack 'shop', key 'external.it': ")
    assert said in problem


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("postgresql://shop:{password}@db/shop", "'db' is a service of this stack"),
        ("mysql://shop:{password}@db.example.com/shop", "the template of secret 'url' is a URL with mysql://"),
        ("{password}", "the template of secret 'url' is not a URL"),
    ],
)
def test_what_a_template_already_shows_is_judged(template, said):
    (problem,) = problems({"it": {"kind": "postgresql", "secret": "url"}}, secrets={"password": {}, "url": {"template": template}})
    assert said in problem


def test_a_template_that_is_wrong_itself_is_judged_with_its_secret():
    assert problems({"it": {"kind": "redis", "secret": "url"}}, secrets={"url": {"template": "redis://:{nobody}@x"}}) == []


@given(st.dictionaries(st.one_of(st.text(max_size=4), st.integers()), ANYTHING, max_size=3))
def test_any_declaration_is_judged_and_what_has_no_problem_is_normalised(external):
    if not problems(external):
        found = stack_externals(stack(external))
        assert len(found["external"]) == len(external)
