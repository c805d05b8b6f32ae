# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._secret_templates import (
    Part,
    compose,
    template_parts,
    template_problems,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from local_images import local_image, running

ANY = st.text(st.characters(codec="utf-8"), max_size=40)
NO_NUL = st.text(
    st.one_of(st.sampled_from("\\\"'$`#={}|& \n\r\tanx0"), st.characters(codec="utf-8", exclude_characters="\0")),
    min_size=1,
    max_size=40,
)
AWKWARD = [
    "plain",
    '"',
    '""',
    "'",
    "\\",
    "\\\\",
    '\\"',
    " spaces ",
    "\n",
    "a\nb\r\nc\td",
    "$HOME ${x}",
    "\\x41\\n",
    "#",
    "ünïcode \u2028\x85 \U0001f511",
    "".join(map(chr, range(1, 256))),
    "a" * 500,
]
BATCHES = st.lists(NO_NUL, min_size=12, max_size=12)
NAME = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z")


def composed(text, **values):
    return compose(text, {name: Part(value, name + "_v3") for name, value in values.items()})


# ---- what is a placeholder


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a {b} c {d.e-F_1:url}{b}", [("b", None), ("d.e-F_1", "url"), ("b", None)]),
        ('{"key": "{a:json}", "list": [{"x": 1}, {}]}', [("a", "json")]),
        ("server { listen 80; location / { proxy_pass http://x; } }", []),
        ("{ a } {a b} {-a} {a:} {a:URL} {a:url:} {a\n} {} {{}}", []),
        ("{{a}}", [("a", None)]),
        ("${a}", [("a", None)]),
        ("{" + "n" * 65 + "}", []),
        ("{" + "n" * 64 + "}", [("n" * 64, None)]),
    ],
)
def test_only_names_in_braces_are_placeholders(text, parts):
    assert template_parts(text) == parts


@given(text=ANY, name=NAME, value=ANY)
def test_all_other_text_stays_byte_for_byte(text, name, value):
    text = text.replace("{", "{ ")
    assert template_parts(text) == []
    assert composed(text) == text
    assert composed(text + "{" + name + ":raw}" + text, **{name: value}) == text + value + text


@given(values=st.dictionaries(NAME, ANY, min_size=1, max_size=3))
def test_a_value_is_never_read_as_a_template(values):
    names = sorted(values)
    nested = {name: value + "{%s}" % names[0] for name, value in values.items()}
    text = "\0".join("{%s}" % name for name in names)
    assert composed(text, **nested) == "\0".join(nested[name] for name in names)


# ---- read back by those who read them


@given(user=ANY, password=ANY, query=ANY)
@example(user="%2F", password="p@ss:w/rd?#[]%20+ \n$&='\"", query="a&b=c;d+e")
def test_what_is_put_into_a_url_is_what_a_url_parser_finds(user, password, query):
    url = composed("postgresql://{u}:{p}@db:5432/shop?opt={q}", u=user, p=password, q=query)
    split = urlsplit(url)
    assert (split.hostname, split.port, split.path) == ("db", 5432, "/shop")
    assert (unquote(split.username or ""), unquote(split.password or "")) == (user, password)
    assert parse_qs(split.query, keep_blank_values=True)["opt"] == [query]
    assert url.isascii() and not set(url) & set(" \n\"'$\\")


@given(value=ANY, scheme=st.sampled_from(["redis", "amqps", "postgresql+psycopg2", "X-9.z"]))
def test_a_url_encodes_unless_told_otherwise_and_other_text_does_not(value, scheme):
    encoded = composed("{v:url}", v=value)
    assert composed(scheme + "://{v}", v=value) == scheme + "://" + encoded
    assert composed(scheme + "://{v:raw}", v=value) == scheme + "://" + value
    for start in ("", " " + scheme + "://", "url=" + scheme + "://", "9x://", "://", scheme + ":"):
        assert composed(start + "{v}", v=value) == start + value


@given(value=ANY)
def test_what_is_put_into_json_is_what_a_json_parser_finds(value):
    assert json.loads(composed('{"key": "{v:json}", "other": {"x": 1}}', v=value)) == {"key": value, "other": {"x": 1}}


def test_the_login_of_the_version_is_named_in_any_text():
    assert composed("postgresql://{app:login}:{app}@db/shop", app="a b") == "postgresql://app_v3:a%20b@db/shop"
    assert composed("user = {app:login}", app="x") == "user = app_v3"


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@example(values=AWKWARD)
@given(values=BATCHES)
def test_redis_takes_the_password_of_its_configuration_as_it_is(tmp_path, values):
    image = local_image("redis")
    for number, value in enumerate(values):
        text = "port 0\nunixsocket /srv/test/%d.sock\nsave \"\"\nrequirepass {v:redis_conf}\n# end\n" % number
        (tmp_path / "{0}.conf".format(number)).write_bytes(composed(text, v=value).encode())
    script = "cd /srv/test && for one in *.conf; do redis-server $one & done; wait"
    with running(image, tmp_path, "sh", "-c", script):
        for number, value in enumerate(values):
            with connected(tmp_path / "{0}.sock".format(number)) as (send, receive):
                send(b"*1\r\n$4\r\nPING\r\n")
                assert receive(64).startswith(b"-NOAUTH")
                password = value.encode("utf-8")
                send(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%b\r\n" % (len(password), password))
                assert receive(64) == b"+OK\r\n", value


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@example(values=AWKWARD)
@given(values=BATCHES)
def test_pgbouncer_takes_the_password_of_its_list_as_it_is(tmp_path, values):
    image = local_image("pgbouncer")
    lines = [composed('"u%d" {v:userlist}\n' % number, v=value) for number, value in enumerate(values)]
    (tmp_path / "userlist.txt").write_bytes("".join(lines).encode())
    users = ", ".join("u{0}".format(number) for number in range(len(values)))
    (tmp_path / "pgbouncer.ini").write_text(
        "[pgbouncer]\nlisten_addr =\nunix_socket_dir = /srv/test\nauth_type = plain\nauth_file = /srv/test/userlist.txt\n"
        "admin_users = {0}\nuser = nobody\n".format(users)
    )
    tmp_path.chmod(0o777)
    with running(image, tmp_path, "pgbouncer", "/srv/test/pgbouncer.ini"):
        for number, value in enumerate(values):
            assert plain_login(tmp_path, "u{0}".format(number), value) == b"R", value
        assert plain_login(tmp_path, "u0", values[0] + "x") == b"E"


def plain_login(directory, user, password):
    """The first message of a PostgreSQL server after a password: R for let in, E for an error."""
    with connected(directory / ".s.PGSQL.6432") as (send, receive):
        body = b"\0\3\0\0user\0%b\0database\0pgbouncer\0\0" % user.encode()
        send(struct.pack(">I", len(body) + 4) + body)
        assert receive(9) == b"R\0\0\0\x08\0\0\0\x03"
        said = password.encode("utf-8") + b"\0"
        send(b"p" + struct.pack(">I", len(said) + 4) + said)
        return receive(1)


@contextlib.contextmanager
def connected(path):
    """Waits for the socket: a server starts in its own time."""
    deadline = time.monotonic() + 30
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        while True:
            try:
                client.connect(str(path))
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield client.sendall, client.recv


@given(value=NO_NUL)
def test_those_words_stand_on_one_line_where_lines_count(value):
    word = composed("{v:redis_conf}", v=value)
    assert word[0] == word[-1] == '"' and not set(word) & {chr(code) for code in range(32)}


@pytest.mark.parametrize("encoding", ["redis_conf", "userlist"])
def test_what_cannot_be_written_there_is_refused_without_being_shown(encoding):
    with pytest.raises(StackError, match="the value of 'v' has a NUL character") as caught:
        composed("{v:%s}" % encoding, v="hunter2\0")
    assert "hunter2" not in str(caught.value)


# ---- problems

SECRETS = {
    "password": {"generate": 32},
    "given": None,
    "url": {"template": "{password}"},
    "app": {"login": {"role": "app"}},
}


@pytest.mark.parametrize("text", ["{password}", "x://{given:url}/{app:login}", '{"a": "{password:json}"}'])
def test_a_template_without_problems(text):
    assert template_problems(text, SECRETS) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{passwort}", "template: {passwort}: 'passwort' is no declared secret; did you mean 'password'?"),
        ("{thing}", "{thing}: 'thing' is no declared secret; declare it"),
        ("{url}", "{url}: 'url' is a template itself; name its parts"),
        ("{password:hex}", "{password:hex}: 'hex' is no encoding; use one of raw, url"),
        ("{password:redisconf}", "did you mean 'redis_conf'?"),
        ("{password:login}", "{password:login}: 'password' is no login"),
        ("postgresql://{ password }@x", "it names no secret"),
        ("", "template must be a text"),
        (7, "template must be a text"),
        (["{password}"], "template must be a text"),
    ],
)
def test_problems_name_the_placeholder_and_the_remedy(text, expected):
    found = template_problems(text, SECRETS)
    assert len(found) == 1 and expected in found[0]


def test_all_problems_of_a_template_are_found():
    assert len(template_problems("{a} {password:b} {given:login}", SECRETS)) == 3
