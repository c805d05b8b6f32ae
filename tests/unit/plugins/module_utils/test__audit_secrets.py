# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import string

import pytest
from ansible_collections.portside.stack.plugins.module_utils._audit_secrets import is_secret, visible_secrets
from hypothesis import given
from hypothesis import strategies as st

SECRETS = (
    "PASSWORD POSTGRES_PASSWORD DB_PASS MYSQL_PWD API_KEY STRIPE_API_KEY apiKey AWS_SECRET_ACCESS_KEY SECRET_KEY SECRET_KEY_BASE JWT_SECRET "
    "GITHUB_TOKEN TUNNEL_TOKEN PRIVATE_KEY APP_KEY PGPASSWORD dbPassword APIKEY TS_AUTHKEY DB_PASSWORD_2 ENCRYPTION_KEY SMTP_CREDENTIALS"
).split()
OTHERS = (
    "PATH PWD OLDPWD GPG_KEY PUBLIC_KEY SORT_KEY TOKENIZERS_PARALLELISM MAX_TOKENS TOKEN_EXPIRE_MINUTES PASSWORD_HASHERS SECRET_NAME PASSWORD_FILE "
    "AWS_ACCESS_KEY_ID TOKEN_URL PASSWORD_MIN_LENGTH AUTHOR MONKEY KEYBOARD COMPASS BYPASS PASSENGER_APP SSH_AUTH_SOCK LANG"
).split()
SENTINEL = "s3ntinelValue"


@pytest.mark.parametrize("name", SECRETS)
def test_names_that_say_so(name):
    assert is_secret(name, "hunter2")


@pytest.mark.parametrize("name", OTHERS)
def test_names_that_only_sound_like_it(name):
    assert not is_secret(name, "hunter2")


@pytest.mark.parametrize("value", ["", " ", "true", "no", "None", "$PASSWORD", "${PASSWORD:?}", "{{ password }}", "<password>"])
def test_without_a_value_there_is_nothing_to_see(value):
    assert not is_secret("PASSWORD", value)


def found(**config):
    return [(one["where"], one["name"]) for one in visible_secrets(config)]


def test_the_environment():
    variables = ["DB_PASSWORD=x1", "DB_PASSWORD_FILE=/run/secrets/x", "DATABASE_URL=postgres://u:x2@db/app", "REDIS_URL=redis://:x3@r", "SITE=https://example.com"]
    assert found(Env=variables) == [
        ("environment", "DB_PASSWORD"),
        ("environment", "DATABASE_URL (a password in a URL)"),
        ("environment", "REDIS_URL (a password in a URL)"),
    ]
    assert found(Env=["DSN=https://key@example.com/1", "URL=postgres://u:$PASSWORD@db", "PLAIN"]) == []


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["redis-server", "--requirepass", SENTINEL], ["--requirepass"]),
        (["sh", "-c", "exec redis-server --requirepass '" + SENTINEL + "' --port 1"], ["--requirepass"]),
        (["tunnel", "run", "--token=" + SENTINEL], ["--token"]),
        (["sh", "-c", "PGPASSWORD=" + SENTINEL + " psql"], ["PGPASSWORD"]),
        (["app", "--db", "mysql://root:" + SENTINEL + "@db/x"], ["a password in a URL"]),
        # What is glued to a short option is its name as far as anybody can tell, so that is not told.
        (["mysql", "-ppassword" + SENTINEL, "x"], []),
        (["redis-server", "--requirepass", "$PASSWORD"], []),
        (["app", "--token-file", "/run/secrets/token"], []),
    ],
)
def test_the_command(words, names):
    assert [name for _where, name in found(Cmd=words)] == names
    assert [name for _where, name in found(Entrypoint=words)] == names
    assert [where for where, _name in found(Healthcheck={"Test": ["CMD", *words]})] == ["health check"] * len(names)


def test_labels():
    labels = {"traefik.http.middlewares.a.basicauth.users": "u:$$apr1$$x", "app.password": "x", "app.name": "x"}
    assert found(Labels=labels) == [("label", "app.password"), ("label", "traefik.http.middlewares.a.basicauth.users")]


def test_a_name_that_is_none_is_not_shown():
    assert found(Env=["PASSWORD {0}=x".format(SENTINEL)]) == [("environment", "a name that is not shown")]


TEXT = st.text(string.ascii_letters + string.digits + "-_./:@=$ '\"&\n", max_size=12)
VALUE = st.builds("{0}{1}{2}".format, TEXT, st.just(SENTINEL), TEXT)
NAME = st.sampled_from([*SECRETS, *OTHERS])


@given(
    st.lists(st.builds("{0}={1}".format, NAME, VALUE), max_size=5),
    st.lists(st.one_of(VALUE, st.sampled_from(["--password", "-p", "--token", "sh", "-c"])), max_size=6),
    st.dictionaries(NAME, VALUE, max_size=4),
)
def test_no_value_is_ever_told(variables, words, labels):
    config = {"Env": variables, "Cmd": words, "Entrypoint": words, "Labels": labels, "Healthcheck": {"Test": words}}
    assert SENTINEL not in json.dumps(visible_secrets(config))
