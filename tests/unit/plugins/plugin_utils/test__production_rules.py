# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._production_rules import RULES
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from declarations import ANYTHING, STACKS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

STRONG = "q7Zr9Kx2vB4mN8pL3wT6yH1sD5fG0jC9aE7uR4iO2xV6bQ8zKtP5"


def stack(api=None, secrets=None, **rest):
    declared = {"name": "shop", "environment": "production", "services": {"api": {"image": "shop", **(api or {})}}}
    return {**declared, "secrets": {"key": {"generate": 64}, **(secrets or {})}, **rest}


def env(**variables):
    return stack({"environment": variables})


def hidden(secret, **secrets):
    return stack({"environment": {}}, secrets, secret_environment={"api": {"URL": secret}})


def edge(**tls):
    given = {"kind": "nginx", "service": "api", "hosts": ["shop.example.com"], "tls": tls}
    return stack({"image": "nginx"}, edge=given, routes=[{"url": "http://10.0.0.5"}], exposure={"api": "public"})


def config(content):
    service = {"image": "redis:8", "command": ["redis-server", "/r.conf"], "configs": [{"source": "r.conf"}]}
    return {"services": {"api": service}, "configs": {"r.conf": content}}


# Rule -> what breaks it.
BROKEN = {
    "debug": [
        env(DEBUG="True"),
        env(DJANGO_DEBUG="1"),
        env(NODE_ENV="development"),
        env(FLASK_ENV="dev"),
        env(DJANGO_SETTINGS_MODULE="core.settings.dev"),
        stack({"command": "python manage.py runserver 0.0.0.0:8000"}),
        stack({"command": ["sh", "-c", "exec uvicorn --reload app:app"]}),
    ],
    "secret_key": [
        stack(
            {"environment": {"DJANGO_SECRET_KEY_FILE": "/run/secrets/django"}, "secrets": ["django"]},
            {"django": {"generate": 32}},
        ),
        stack({"secrets": ["jwt_secret"]}, {"jwt_secret": {"generate": 16}}),
        stack(secrets={"short": {"generate": 20}}, secret_environment={"api": {"JWT_SIGNING_KEY": "short"}}),
    ],
    "allowed_hosts": [env(ALLOWED_HOSTS="*"), env(DJANGO_ALLOWED_HOSTS="a.example.com, *"), env(DJANGO_ALLOWED_HOSTS='["*"]')],
    "cors_origins": [
        env(CORS_ALLOWED_ORIGINS="*"),
        env(CORS_ALLOW_ALL_ORIGINS="true"),
        env(CORS_ORIGIN_ALLOW_ALL="True"),
        env(CORS_ORIGIN="true"),
        env(BACKEND_CORS_ORIGINS='["https://a.example.com", "https://*"]'),
        env(CORS_ALLOWED_ORIGIN_REGEXES="^.*$$"),
        env(ALLOWED_ORIGINS="https://a.example.com *"),
    ],
    "database_password": [
        stack({"image": "postgres:17"}),
        stack({"image": "registry.test:5000/library/postgres:17@sha256:" + "0" * 64, "environment": {"POSTGRES_PASSWORD": ""}}),
        stack({"image": "postgres", "environment": {"POSTGRES_PASSWORD_FILE": "/run/secrets/key", "POSTGRES_HOST_AUTH_METHOD": "trust"}}),
        stack({"image": "postgres", "environment": {"POSTGRES_PASSWORD_FILE": "/run/secrets/key", "POSTGRES_INITDB_ARGS": "--auth-host=trust"}}),
        stack({"image": "postgis/postgis", "command": "-c max_connections=10"}),
        stack({"image": "mariadb", "environment": {"MARIADB_ALLOW_EMPTY_ROOT_PASSWORD": "1"}}),
        stack({"image": "mysql:8", "environment": {"MYSQL_DATABASE": "a"}}),
        stack({"image": "mongo:7"}),
        env(DATABASE_URL="postgresql://app@db/app"),
        env(DATABASE_URL="postgresql+asyncpg://db/app"),
        env(DB_PASSWORD=""),
        hidden("url", url={"template": "mysql2://app@{key}/app"}),
    ],
    "redis_password": [
        stack({"image": "redis:7"}),
        stack({"image": "redis:7", "command": "redis-server --appendonly yes"}),
        stack({"image": "redis:7", "environment": {"REDIS_PASSWORD_FILE": "/run/secrets/key"}}),
        stack({"image": "valkey/valkey", "command": ["valkey-server", "--requirepass", ""]}),
        stack({"image": "docker.dragonflydb.io/dragonflydb/dragonfly"}),
        stack({"image": "bitnami/redis", "environment": {"ALLOW_EMPTY_PASSWORD": "yes"}}),
        stack(**config({"content": "appendonly yes\n# requirepass x\n"})),
        stack({"image": "redis", "command": ["redis-server", "/run/secrets/conf"], "secrets": ["conf"]}, {"conf": {"template": "dir /{key}"}}),
        env(CELERY_BROKER_URL="redis://redis:6379/1"),
        env(REDIS_URL="rediss://user@redis"),
        hidden("url", url={"template": "redis://redis/{key}"}),
    ],
    "plain_secrets": [
        env(API_TOKEN=STRONG),
        env(DJANGO_SECRET_KEY=STRONG),
        env(GF_SECURITY_ADMIN_PASSWORD=STRONG),
        env(STRIPE_API_KEY=STRONG),
        env(AWS_SECRET_ACCESS_KEY=STRONG),
        env(DATABASE_URL="postgresql://app:{0}@db/app".format(STRONG)),
        env(CELERY_BROKER_URL="redis://:{0}@redis".format(STRONG)),
        env(CONNECTION="Server=db;Password={0};".format(STRONG)),
        stack({"image": "redis", "command": ["redis-server", "--requirepass", STRONG]}),
    ],
    "certificates": [edge(kind="self_signed"), edge(kind="acme", staging=True)],
    "docker_socket": [
        stack({"volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro"]}),
        stack({"volumes": [{"type": "bind", "source": "/run/containerd/containerd.sock", "target": "/s"}]}),
        stack({"volumes": ["/:/rootfs:ro"]}),
        stack({"volumes": ["/var/run/:/var/run:ro"]}),
    ],
    "privileged": [stack({"privileged": True}), stack({"cap_add": ["NET_ADMIN", "cap_sys_admin"]}), stack({"cap_add": ["ALL"]}), stack({"pid": "host"})],
}
# What production may well be like.
SOUND = {
    "nothing": stack(),
    "off": env(DEBUG="false", DJANGO_DEBUG="False", NODE_ENV="production", APP_DEBUG=0, FLASK_DEBUG=""),
    "namespaces of node's debug": env(DEBUG="express:*"),
    "hosts": env(ALLOWED_HOSTS="shop.example.com,.example.com,*.example.com", TRUSTED_HOSTS=""),
    "origins": env(CORS_ALLOWED_ORIGINS="https://*.example.com,https://shop.example.com", CORS_ORIGIN="false", CORS_ALLOW_ALL_ORIGINS="0"),
    "public keys": env(NEXT_PUBLIC_HUBSPOT_TOKEN="pat-eu1-x", VITE_API_KEY="AIzaSy", STRIPE_PUBLISHABLE_KEY="pk_live_1", AWS_ACCESS_KEY_ID="AKIA1"),
    "names only": env(PROXY_PASS="http://api:8000", MAX_TOKEN="4096", REFRESH_TOKEN="false", TOKEN_URL="https://a.example.com/t", SSL_KEY="/etc/ssl/k"),
    "without a password to have": env(SENTRY_DSN="https://abc@sentry.example.com/1", MEDIA_URL="https://cdn.example.com", DATABASE_URL="sqlite:////d/a.db"),
    "database by its socket": env(DATABASE_URL="postgresql://app@%2Fvar%2Frun/app"),
    "password apart": stack({"environment": {"DATABASE_URL": "postgresql://app@db/app", "PGPASSFILE": "/run/secrets/key"}, "secrets": ["key"]}),
    "redis password apart": stack({"environment": {"REDIS_URL": "redis://redis", "REDIS_PASSWORD_FILE": "/run/secrets/key"}, "secrets": ["key"]}),
    "postgres": stack({"image": "postgres:17", "environment": {"POSTGRES_PASSWORD_FILE": "/run/secrets/key"}, "secrets": ["key"]}),
    "postgres by variable": stack({"image": "postgres:17"}, secret_environment={"api": {"POSTGRES_PASSWORD": "key"}}),
    "client of postgres": stack({"image": "postgres:17", "command": ["sh", "-c", "pg_dump -U postgres -h db shop > /d/shop"]}),
    "pgbouncer": stack({"image": "edoburu/pgbouncer:v1.24.1-p1"}),
    "exporter": stack({"image": "prom/postgres-exporter"}),
    "mongo": stack({"image": "mongo", "command": ["mongod", "--auth"]}),
    "redis by a shell": stack({"image": "redis", "command": ["sh", "-c", 'exec redis-server --requirepass "$$(cat /run/secrets/key)"'], "secrets": ["key"]}),
    "redis by its template": stack(
        {"image": "redis", "command": ["redis-server", "/run/secrets/redis.conf"], "secrets": [{"source": "conf", "target": "redis.conf"}]},
        {"conf": {"template": "dir /data\nrequirepass {key:redis_conf}\n"}},
    ),
    "redis by a file of its volume": stack({"image": "redis", "command": ["/data/redis.conf"]}),
    "redis by its config": stack(**config({"content": "include /run/secrets/acl.conf\n"})),
    "bitnami": stack({"image": "bitnami/redis:7", "environment": {"REDIS_PASSWORD_FILE": "/run/secrets/key"}, "secrets": ["key"]}),
    "dragonfly": stack({"image": "dragonfly", "environment": {}}, secret_environment={"api": {"DFLY_requirepass": "key"}}),
    "redis-cli": stack({"image": "redis", "command": ["redis-cli", "-h", "cache", "ping"]}),
    "url in a template": hidden("url", url={"template": "postgresql://{key}:{key}@db/app"}),
    "a visible variable": stack(secret_environment={"api": {"API_TOKEN": {"secret": "key", "visible": True}}}),
    "certificates that browsers trust": edge(kind="acme"),
    "certificates of an authority of one's own": edge(kind="acme", directory_url="https://ca.example.com/directory"),
    "a directory of the host": stack({"volumes": ["/var/lib/docker/containers:/logs:ro", "/srv/docker.sock.d:/d"]}),
    "a volume called so": stack({"volumes": ["run:/run"]}, volumes={"run": {}}),
    "narrow capabilities": stack({"cap_add": ["IPC_LOCK", "NET_BIND_SERVICE"], "privileged": False}),
    "a key of another party": stack({"secrets": ["stripe_secret_key"]}, {"stripe_secret_key": {"generate": 20}}),
}


def told(declared):
    return stack_problems([declared])


@pytest.mark.parametrize("rule, declared", [(rule, declared) for rule, cases in BROKEN.items() for declared in cases])
def test_what_breaks_a_rule_is_refused_until_it_is_waived(rule, declared):
    (problem,) = told(declared)
    assert problem.startswith("stack 'shop', service 'api', key '")
    assert "(rule {0})".format(rule) in problem
    assert problem.endswith("waivers: [{{rule: {0}, service: api, reason: ...}}].".format(rule))
    assert STRONG not in problem
    for waiver in ({"rule": rule, "reason": "known"}, {"rule": rule, "service": "api", "reason": "known"}):
        assert told({**declared, "waivers": [waiver]}) == []
    for environment in ("staging", "development", None):
        assert told({**declared, "environment": environment}) == []


def test_every_rule_is_among_them_and_says_where_it_comes_from():
    assert set(BROKEN) == set(RULES)
    assert all("Counts:" in rule.__doc__ for rule in RULES.values())


@pytest.mark.parametrize("case", SOUND)
def test_what_production_may_be_like(case):
    assert told(SOUND[case]) == []


def test_defaults_break_two_rules():
    found = told(env(DATABASE_URL="postgresql://postgres:postgres@db/app"))
    assert [rule for rule in RULES for problem in found if "(rule {0})".format(rule) in problem] == ["database_password", "plain_secrets"]


def test_variables_with_the_same_fault_are_one_problem():
    (problem,) = told(env(CELERY_BROKER_URL="redis://redis/1", CELERY_RESULT_BACKEND="redis://redis/2"))
    assert "key 'environment.CELERY_BROKER_URL'" in problem
    assert "environment.CELERY_RESULT_BACKEND" in problem


def test_a_service_that_is_off_is_not_judged_and_its_waiver_is_not_idle():
    declared = stack({"environment": {}})
    declared["services"]["extra"] = {"image": "redis:7", "profiles": ["cache"]}
    assert told(declared) == []
    assert told({**declared, "waivers": [{"rule": "redis_password", "service": "extra", "reason": "on one's own network"}]}) == []


@pytest.mark.parametrize(
    "waiver, words",
    [
        ("debug", ["not a mapping"]),
        ({"rule": "debg", "reason": "x"}, ["'debg' is not a rule", "did you mean 'debug'?"]),
        ({"reason": "x"}, ["None is not a rule", "plain_secrets"]),
        ({"rule": "debug", "service": "apo", "reason": "x"}, ["'apo'", "did you mean 'api'?"]),
        ({"rule": "debug"}, ["no reason"]),
        ({"rule": "debug", "reason": " "}, ["no reason"]),
        ({"rule": "debug", "reason": "x", "servce": "api"}, ["'servce'", "did you mean 'service'?"]),
        ({"rule": "redis_password", "reason": "x"}, ["nothing breaks rule 'redis_password'"]),
    ],
)
def test_waivers_that_are_none(waiver, words):
    (problem,) = told({**env(DEBUG="1"), "waivers": [waiver, {"rule": "debug", "service": "api", "reason": "shown to no one"}]})
    for word in ["stack 'shop', key 'waivers[0]'", *words]:
        assert word in problem


def test_a_waiver_for_a_value_that_is_not_seen_here_is_not_idle():
    waiver = {"rule": "secret_key", "service": "api", "reason": "old tokens"}
    declared = stack({"environment": {"SECRET_KEY_FILE": "/run/secrets/a"}, "secrets": ["a"]}, {"a": {}}, waivers=[waiver])
    assert told(declared) == []
    assert "nothing breaks" in told({**declared, "secrets": {"a": {"generate": 64}}})[0]


def test_waivers_stay_while_another_environment_is_tried():
    assert told({**env(DEBUG="0"), "environment": "staging", "waivers": [{"rule": "debug", "reason": "x"}]}) == []


def test_an_environment_that_is_none():
    (problem,) = told({**env(DEBUG="1"), "environment": "prodution"})
    assert "did you mean 'production'?" in problem


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(STACKS, st.sampled_from(["production", "staging"]))
def test_rules_add_to_other_problems_and_take_nothing_away(declared, environment):
    plain = stack_problems([declared])
    judged = stack_problems([{**declared, "environment": environment}])
    assert [problem for problem in judged if "production forbids it" not in problem] == plain
    assert environment == "production" or judged == plain


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, st.sampled_from(["redis", "postgres", "mongo", "mysql"]))
def test_anything_is_borne(environment, command, entrypoint, waivers, image):
    service = {"image": image, "environment": environment, "command": command, "entrypoint": entrypoint, "configs": command, "secrets": entrypoint}
    declared = {"name": "shop", "environment": "production", "services": {"api": service}, "waivers": waivers, "secrets": environment}
    assert all(isinstance(problem, str) for problem in stack_problems([declared]))
