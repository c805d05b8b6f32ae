# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from ansible_collections.portside.stack.plugins.plugin_utils._value_problems import value_problems
from declarations import ANYTHING, STACKS
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

STRONG = "q7Zr9Kx2vB4mN8pL3wT6yH1sD5fG0jC9aE7uR4iO2xV6bQ8zKtP5"


def stack(service=None, **rest):
    api = {"image": "nginx", "secrets": ["a"], **(service or {})}
    return {"name": "shop", "services": {"api": api, "off": {"image": "x", "profiles": ["x"], "secrets": ["idle"]}}, "secrets": {"a": {}, "idle": {}}, **rest}


def problems(value, **rest):
    return value_problems([stack(**rest)], {"shop": {"a": value}})


@pytest.mark.parametrize(
    "value, words",
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (None, "is empty"),
        (12345678, "not text"),
        (["x"], "not text"),
        (True, "not text"),
        ("CHANGE_ME", "template"),
        ("hunter2", "documented default"),
        ("postgresql://shop:shop@db/shop", "name of its user"),
    ],
)
def test_values_that_are_none(value, words):
    (problem,) = problems(value)
    assert problem.startswith("stack 'shop', key 'secrets.a': its value ")
    assert words in problem
    assert not isinstance(value, str) or not value.strip() or value not in problem


@pytest.mark.parametrize("given", [STRONG, [{"a": STRONG}], ["a: " + STRONG], 5])
def test_values_that_are_no_mapping_are_refused_without_a_word_of_them(given):
    for name in ("shop", "other"):
        (problem,) = value_problems([stack()], {name: given})
        assert problem.startswith("stack {0!r}, key 'stack_secrets': it is not a mapping".format(name))
        assert STRONG not in problem


def test_values_of_what_does_not_run_may_wait():
    assert value_problems([stack()], {"shop": {"idle": "", "a": STRONG}}) == []
    assert len(value_problems([stack(profiles=["x"])], {"shop": {"idle": "changeme", "a": STRONG}})) == 1


def test_parts_of_templates_and_secrets_of_services_elsewhere_are_needed():
    declared = stack(secrets={"a": {"template": "x {b}"}, "b": {}, "c": {}}, external={"mail": {"kind": "redis", "secret": "c"}})
    assert len(value_problems([declared], {"shop": {"b": "", "c": ""}})) == 2


def test_a_name_is_no_credential():
    declared = stack({"secrets": ["db_user"], "environment": {"POSTGRES_DB": "postgres"}}, secrets={"db_user": {}})
    assert value_problems([declared], {"shop": {"db_user": "postgres"}}) == []


@pytest.mark.parametrize(
    "where, key",
    [
        ({"service": {"environment": {"X": STRONG}}}, "service 'api', key 'environment.X'"),
        ({"service": {"environment": ["X=" + STRONG]}}, "service 'api', key 'environment[0]'"),
        ({"service": {"command": ["redis-server", "--requirepass", STRONG]}}, "service 'api', key 'command[2]'"),
        ({"service": {"labels": {STRONG: "x"}}}, "service 'api', key 'labels'"),
        ({"service": {"healthcheck": {"test": ["CMD-SHELL", "curl http://u:{0}@x".format(STRONG)]}}}, "key 'healthcheck.test[1]'"),
        ({"configs": {"c": {"content": "a\nb {0}\n".format(STRONG)}}}, "stack 'shop', key 'configs.c.content'"),
        ({"steps": [{"command": "x " + STRONG}]}, "key 'steps[0].command'"),
        ({"secrets": {"a": {}, "b": {"template": STRONG}}}, "key 'secrets.b.template'"),
    ],
)
def test_a_value_that_stands_in_the_open(where, key):
    (problem,) = problems(STRONG, **where)
    assert key in problem
    assert "the secret 'a'" in problem
    assert "secret_environment" in problem
    assert STRONG not in problem
    assert problems(STRONG + "x", **where) == []


def test_a_value_in_the_open_is_known_in_every_writing():
    value = "q7$Zr9/Kx2@vB4mN8"
    for written in (value, value.replace("$", "$$"), quote(value, safe="")):
        (problem,) = problems(value, service={"environment": {"URL": "amqp://app:{0}@mq".format(written)}})
        assert "environment.URL" in problem
    assert problems(value + "\n", service={"command": value})


def test_a_place_that_is_a_value_is_not_named():
    for declared in ({STRONG: {"x": STRONG}}, {"x": {STRONG: {"y": [STRONG]}}}):
        found = problems(STRONG, service=declared)
        assert found
        assert STRONG not in "".join(found)


@pytest.mark.parametrize(
    "value, service, rule",
    [
        (STRONG[:49], {"environment": {"DJANGO_SECRET_KEY_FILE": "/run/secrets/a"}}, "secret_key"),
        ("abcd" * 20, {"environment": {"JWT_SIGNING_KEY_FILE": "/run/secrets/a"}}, "secret_key"),
        ("redis://redis:6379/0", {"environment": {"REDIS_URL_FILE": "/run/secrets/a"}}, "redis_password"),
        ("postgresql://app@db/app", {"environment": {"DATABASE_URL_FILE": "/run/secrets/a"}}, "database_password"),
    ],
)
def test_rules_of_production_on_values(value, service, rule):
    assert problems(value, service=service) == []
    (problem,) = problems(value, service=service, environment="production")
    for word in ("stack 'shop', key 'secrets.a'", "service 'api' is given", "(rule {0})".format(rule), "rule: {0}, service: api".format(rule)):
        assert word in problem
    assert value not in problem
    waivers = [{"rule": rule, "service": "api", "reason": "known"}]
    assert problems(value, service=service, environment="production", waivers=waivers) == []
    assert stack_problems([stack(service, environment="production", waivers=waivers)]) == []


def test_a_weak_value_is_one_problem_for_all_who_are_given_it():
    declared = stack(environment="production")
    declared["secrets"] = {"django_secret_key": {}, "idle": {}}
    declared["services"] = {name: {"image": "shop", "secrets": ["django_secret_key"]} for name in ("api", "asgi", "worker")}
    (problem,) = value_problems([declared], {"shop": {"django_secret_key": STRONG[:40]}})
    assert "services api, asgi, worker are given" in problem


def test_strong_values_are_no_problem():
    service = {"environment": {"DJANGO_SECRET_KEY_FILE": "/run/secrets/a"}}
    assert problems(STRONG, service=service, environment="production") == []
    url = "postgresql://app:{0}@db/app".format(STRONG)
    assert problems(url, service={"environment": {"DATABASE_URL_FILE": "/run/secrets/a"}}, environment="production") == []


@pytest.mark.parametrize("kind", ["EncryptedString", "AnsibleVaultEncryptedUnicode"])
def test_a_value_that_ansible_has_still_encrypted_is_judged_by_what_it_is(kind):
    def encrypted(text):
        return type(kind, (), {"__str__": lambda _self: text})()

    assert problems(encrypted(STRONG)) == []
    assert "was never chosen" in problems(encrypted("changeme"))[0]


# Unlike anything that a problem says by itself.
VALUES = st.text(alphabet='QZ79%$@:/{}\\"\n\u00e4\ud800', min_size=8, max_size=20)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(STACKS, VALUES, st.sampled_from(["environment", "labels", "command", "configs", "x-note"]), st.sampled_from(["production", None]))
def test_no_problem_holds_a_value(declared, value, place, environment):
    value = value.strip()
    assume(len(value) >= 8)
    declared = {**declared, "environment": environment, "services": dict(declared["services"])}
    name = sorted(declared["services"])[0]
    planted = {"environment": {value: value}, "labels": ["x=" + value], "command": value, "configs": [{value: value}], "x-note": {"a": [value, {value: 1}]}}
    declared["services"][name] = {**declared["services"][name], place: planted[place], "secrets": ["key"], "profiles": []}
    found = value_problems([declared], {"shop": {"key": value, "db_password": value + "q"}})
    assert found
    assert not [problem for problem in found if value in problem or repr(value)[1:-1] in problem]


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_anything_at_all_is_borne(stacks, stack_secrets, service, values):
    assert isinstance(value_problems(stacks, stack_secrets), list)
    declared = {"name": "shop", "environment": "production", "services": {"api": service}, "secrets": values, "secret_environment": service}
    assert all(isinstance(problem, str) for problem in value_problems([declared], {"shop": values}))


TUNNEL = "6ff42ae2-765d-4adf-8112-31c55c1551ef"
CREDENTIALS = {"AccountTag": "0123456789abcdef", "TunnelSecret": "q7Zr9Kx2vB4mN8pL3wT6yH1sD5fG0jC9aE7uR4iO2xU=", "TunnelID": TUNNEL}


def of_a_tunnel(value, **edge):
    return problems(value, edge={"kind": "cloudflared", "tunnel": TUNNEL, "credentials": "a", **edge})


@pytest.mark.parametrize(
    "value, words",
    [
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n", ["cert.pem"]),
        ("eyJhIjoiMDEyMzQ1Njc4OWFiY2RlZiIsInQiOiI2ZmY0MmFlMiJ9", ["a token", "kept at Cloudflare"]),
        ("tunnel-credentials.json", ["no JSON"]),
        (json.dumps([CREDENTIALS]), ["no credentials"]),
        (json.dumps({**CREDENTIALS, "AccountTag": " "}), ["no AccountTag"]),
        (json.dumps({key: value for key, value in CREDENTIALS.items() if key != "TunnelSecret"}), ["no TunnelSecret"]),
        (json.dumps({**CREDENTIALS, "TunnelSecret": 5}), ["no TunnelSecret"]),
        (json.dumps({**CREDENTIALS, "TunnelSecret": CREDENTIALS["TunnelSecret"][:-3]}), ["not base64", "not whole"]),
        (json.dumps({**CREDENTIALS, "TunnelID": "00000000-765d-4adf-8112-31c55c1551ef"}), ["another tunnel", TUNNEL, "edge.tunnel"]),
    ],
)
def test_what_connects_no_tunnel_is_refused_before_it_is_tried(value, words):
    (problem,) = of_a_tunnel(value)
    assert problem.startswith("stack 'shop', key 'secrets.a': ")
    assert "stack_secrets" in problem and all(word in problem for word in words)
    assert CREDENTIALS["TunnelSecret"][:-3] not in problem and CREDENTIALS["AccountTag"] not in problem and value[:20] not in problem


def test_credentials_are_read_as_cloudflared_reads_them():
    older = {key: value for key, value in CREDENTIALS.items() if key != "TunnelID"}
    shouted = {key.upper(): value for key, value in CREDENTIALS.items()}
    for found in (CREDENTIALS, older, {**CREDENTIALS, "TunnelID": TUNNEL.upper(), "Endpoint": "fed"}, shouted):
        assert of_a_tunnel("\n" + json.dumps(found, indent=1)) == []
    assert of_a_tunnel("no credentials " + STRONG, tunnel=None, credentials="idle") == []
