# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import random
import string
import uuid
from urllib.parse import quote

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._placeholders import placeholder
from hypothesis import given
from hypothesis import strategies as st

# As templates, documentation and tutorials have them.
TEMPLATES = [
    "changeme",
    "change-me!",
    "please_change_me_123",
    "PleaseChangeMe",
    "changethis",
    "CHANGE_ME_TO_SOMETHING_LONG_AND_RANDOM",
    "your-secret-key",
    "YOUR_API_KEY_HERE",
    "yourpassword",
    "your-256-bit-secret",
    "https://your-domain.com",
    "<password>",
    "<your domain>",
    "replace-me",
    "replace-with-secure-random-value",
    "insert_key_here",
    "xxx",
    "XXXX-XXXX",
    "sk_test_xxxxxxxxxxxx",
    "${DB_PASSWORD}",
    "${db:-none}",
    "Bearer ${API_TOKEN}",
    "{{ vault_db_password }}",
    "__TOKEN__",
    "%PASSWORD%",
    "django-insecure-7s8#kq2l!",
    "postgres://${USERNAME}:${PASSWORD}@db/app",
    "postgresql://postgres:[YOUR-PASSWORD]@db.example.com/postgres",
    "http://localhost:changeme@x",
    "requirepass changeme\nappendonly yes\n",
]
CREDENTIALS = [
    "example",
    "dummy",
    "todo",
    "secret",
    "password",
    "admin",
    "Password123!",
    "P@ssw0rd",
    "this-is-a-secret",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "mortarcms_password",
    "0000000000",
    "12345678",
    "postgres:postgres",
    "guest:guest",
    "admin:admin",
    "root:root",
    "minioadmin",
    "minioadmin:minioadmin",
    "SW2YcwTIb9zpOOhoPsMm",
    "d1r3ctu5",
    "amqp://guest:guest@rabbit:5672//",
    "postgresql://mortarcms:mortarcms_password@postgres:5432/example_db",
    "postgresql://selflink:Selflink123@db/selflink",
    "redis://:redis@redis",
]
# Of what is no credential, where a common word may well be meant.
MEANT = [
    "",
    "postgres",
    "admin",
    "example_db",
    "todo",
    "false",
    "8080",
    "lcl.example.com",
    "127.0.0.1,localhost,api",
    "core.settings.production",
    "redis://redis:6379/0",
    "postgresql://app@db/app",
    "postgresql://app:q7Zr9Kx2vB4@db/app",
    "http://your-dedicated-marketer:3002",
    "https://example.com/here",
    "https://key@sentry.example.com/1",
    "exchange-messages",
    "exchange_metrics",
    "server {\n  # change this to your host\n  set $a ${HOST};\n}\n",
]


@pytest.mark.parametrize("text", TEMPLATES)
def test_what_a_template_left_is_seen_wherever_it_stands(text):
    assert placeholder(text)
    assert placeholder(text, credential=False)


@pytest.mark.parametrize("text", CREDENTIALS)
def test_a_credential_that_everybody_knows(text):
    assert placeholder(text)


@pytest.mark.parametrize("text", MEANT)
def test_what_is_meant(text):
    assert placeholder(text, credential=False) == ""


CASED = st.sampled_from([str.lower, str.upper, str.title, str.capitalize, str.swapcase])
SEPARATOR = st.sampled_from(["", "-", "_", " ", "."])


@given(st.sampled_from(["change me", "change this", "replace me", "replace with"]), SEPARATOR, CASED, st.sampled_from(["", "!", "123", "-now", "_please"]))
def test_in_every_casing_and_with_every_separator(words, separator, cased, more):
    assert placeholder(cased(words.replace(" ", separator)) + more, credential=False)


@given(st.sampled_from(["key", "api key", "secret key", "password", "domain", "smtp host", "very own thing"]), st.sampled_from("-_ "), CASED)
def test_yours_in_every_casing(words, separator, cased):
    text = cased(("your " + words).replace(" ", separator))
    assert placeholder(text, credential=False)
    assert placeholder(text + separator + "here", credential=False)


@given(st.sampled_from(["secret", "password", "admin", "example", "dummy", "test", "my secret key", "super secret", "default password"]), SEPARATOR, CASED)
def test_common_words_in_every_casing(words, separator, cased):
    assert placeholder(cased(words.replace(" ", separator)))


def strong(seed, alphabet, length):
    """A strong secret: hypothesis itself would try the simplest ones, which are none."""
    return "".join(random.Random(seed).choices(alphabet, k=length))


ALPHABETS = [string.ascii_letters + string.digits, string.hexdigits.lower(), string.ascii_letters + string.digits + "-_", string.ascii_lowercase]


@given(st.integers(0, 2**64), st.sampled_from(ALPHABETS), st.integers(20, 64))
def test_a_strong_secret_never_counts(seed, alphabet, length):
    secret = strong(seed, alphabet, length)
    assert placeholder(secret) == ""
    assert placeholder("postgresql://app:{0}@db:5432/app".format(quote(secret, safe=""))) == ""
    assert placeholder("redis://:{0}@redis".format(quote(secret, safe=""))) == ""


@given(st.integers(0, 2**64))
def test_neither_do_keys_in_base64_and_uuids(seed):
    data = random.Random(seed).randbytes(32)
    assert placeholder(base64.b64encode(data).decode()) == ""
    assert placeholder("base64:" + base64.b64encode(data).decode()) == ""
    assert placeholder(str(uuid.UUID(bytes=data[:16]))) == ""


@given(st.integers(0, 2**20))
def test_nor_do_passwords_with_punctuation(seed):
    secret = strong(seed, string.ascii_letters + string.digits + string.punctuation, 32)
    assert placeholder(secret) == ""
    assert placeholder("mysql://app:{0}@db/app".format(quote(secret, safe=""))) == ""


@given(st.text(max_size=60), st.booleans())
def test_any_text_is_borne_and_no_reason_depends_on_it(text, credential):
    reasons = {"", placeholder("changeme"), placeholder("secret"), placeholder("redis://a:a@b")}
    assert placeholder(text, credential) in reasons
