# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from urllib.parse import quote

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._external_url import SSL_MODES, target_of
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(min_size=1, max_size=20)
HOSTS = st.from_regex(r"[a-z][a-z0-9.-]{0,20}[a-z0-9]", fullmatch=True)


def words(text):
    return quote(text, safe="", errors="surrogatepass")


@given(TEXT, TEXT, HOSTS, st.one_of(st.none(), st.integers(1, 65535)), TEXT, st.sampled_from(SSL_MODES))
def test_each_part_of_a_postgresql_url_comes_out_as_it_went_in(user, password, host, port, database, mode):
    text = "postgresql+asyncpg://{0}:{1}@{2}{3}/{4}?connect_timeout=3&sslmode={5}#x".format(
        words(user), words(password), host, "" if port is None else ":{0}".format(port), words(database), mode
    )
    found = target_of("postgresql", text)
    assert (found.places, found.tls) == ([(host, port or 5432)], mode)
    if "\ufffd" not in found.user + found.password + found.database:
        assert (found.user, found.password, found.database) == (user, password, database)


@given(TEXT, HOSTS, st.integers(0, 15))
def test_each_part_of_a_redis_url_comes_out_as_it_went_in(password, host, database):
    found = target_of("redis", "rediss://:{0}@{1}/{2}".format(words(password), host, database))
    assert (found.places, found.tls, found.user) == ([(host, 6379)], "verify-full", None)
    assert "\ufffd" in found.password or found.password == password
    assert int(found.database or 0) == database


@given(st.sampled_from(["postgresql", "redis"]), st.one_of(st.text(), TEXT.map("postgresql://{0}".format), TEXT.map("redis://{0}".format)))
def test_any_text_is_a_target_or_refused(kind, text):
    try:
        found = target_of(kind, text)
    except StackError:
        return
    assert all(host and 0 < port < 65536 for host, port in found.places)


@pytest.mark.parametrize(
    ("url", "places", "tls", "user", "password", "database"),
    [
        ("postgres://db.example.com", [("db.example.com", 5432)], "prefer", None, None, ""),
        ("postgis://a@[::1]:5433/x", [("::1", 5433)], "prefer", "a", None, "x"),
        ("postgresql://a:b@one:1,two/x", [("one", 1), ("two", 5432)], "prefer", "a", "b", "x"),
        ("postgresql://a@ignored/x?host=one,two&port=6432&user=c&password=d&dbname=y", [("one", 6432), ("two", 6432)], "prefer", "c", "d", "y"),
        ("jdbc:postgresql://h:1/x?user=a&password=b%26&ssl=true", [("h", 1)], "require", "a", "b&", "x"),
        ("postgresql://a:b@h?ssl=require", [("h", 5432)], "require", "a", "b", "a"),
        ("postgresql://a:b@h?sslrootcert=system", [("h", 5432)], "verify-full", "a", "b", "a"),
        ("postgresql://a:p@ss@h/x\n", [("h", 5432)], "prefer", "a", "p@ss", "x"),
    ],
)
def test_postgresql_urls_are_read_as_drivers_read_them(url, places, tls, user, password, database):
    found = target_of("postgresql", url)
    assert (found.places, found.tls, found.user, found.password, found.database) == (places, tls, user, password, database)


@pytest.mark.parametrize(
    ("url", "tls", "user", "password", "database", "verifiable"),
    [
        ("redis://h", "disable", None, None, "", True),
        ("redis://ann:p@h:6380/0", "disable", "ann", "p", "", True),
        ("rediss://:p@h/2?ssl_cert_reqs=CERT_NONE", "require", None, "p", "2", True),
        ("rediss://h?ssl_cert_reqs=optional&db=4&password=q", "require", None, "q", "4", True),
        ("valkeys://h?ssl_ca_certs=/ca.pem", "verify-full", None, None, "", False),
    ],
)
def test_redis_urls_are_read_as_clients_read_them(url, tls, user, password, database, verifiable):
    found = target_of("redis", url)
    assert (found.tls, found.user, found.password, found.database, found.verifiable) == (tls, user, password, database, verifiable)


@pytest.mark.parametrize(
    ("kind", "url", "said"),
    [
        ("postgresql", "host=db user=hidden", "is not a URL"),
        ("postgresql", "mysql://a:hidden@h", "mysql://, which is no PostgreSQL"),
        ("postgresql", "postgresql://a:hidden@/x", "names no host"),
        ("postgresql", "postgresql://a:hidden@h:99999/x", "port that is none"),
        ("postgresql", "postgresql://a:hidden@h/x?host=/run/postgresql", "names no host"),
        ("postgresql", "postgresql://a:hidden@h/x?sslmode=hidden", "sslmode that is none of disable"),
        ("redis", "redis://:hidden@a,b", "names no host"),
        ("redis", "redis-sentinel://:hidden@a", "which is no Redis"),
        ("redis", "redis://:hidden@a/hidden", "database that is no number"),
    ],
)
def test_a_refusal_says_why_and_shows_nothing_of_the_value(kind, url, said):
    with pytest.raises(StackError, match=said) as refused:
        target_of(kind, url)
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("kind", ["postgresql", "redis"])
@pytest.mark.parametrize("password", ["p@half/rest", "12?rest", "p@half#rest", "half/re@st", "12#re/st"])
def test_no_part_of_a_password_that_was_not_encoded_is_taken_for_the_host(kind, password):
    with pytest.raises(StackError, match="percent-encode it") as caught:
        target_of(kind, "{0}://app:{1}@db.example.com/0".format(kind, password))
    assert "half" not in str(caught.value) and "12" not in str(caught.value)
