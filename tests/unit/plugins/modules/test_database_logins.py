# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL that understands just the SQL of the logins; what the SQL does was tried on PostgreSQL 17 itself."""

from __future__ import annotations

import json
import re
import signal

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._login_roles import Login, Role, drop_sql, ensure_sql, is_right, login_of, read_sql
from ansible_collections.portside.stack.plugins.module_utils._scram import matches, verifier
from ansible_collections.portside.stack.plugins.modules import database_logins
from fake_engine import FakeEngine
from module_runner import run_module

RELEASE = "1" * 16
DEFINITION = {
    "name": "demo",
    "services": {
        "api": {"image": "example/api:1", "labels": {"portside.digest": "d-api"}},
        "db": {"image": "postgres:17", "labels": {"portside.digest": "d-db"}, "restart": "always"},
    },
}
PASSWORD = "pass-of-version-{0}"


class Host:
    """A host with secrets, and a server whose roles are as the statements make them."""

    def __init__(self, engine, directory):
        self.engine, self.directory = engine, directory / "demo"
        self.now, self.handlers, self.told, self.ups = 1600000000.0, {}, [], []
        self.codes, self.silent = [], 0
        self.roles = {"shop": {"can_login": True}}
        home = self.directory / "releases" / RELEASE
        home.mkdir(parents=True)
        (home / "compose.yaml").write_text("services: {}")
        self.record(1)

    def record(self, version, secret="app_login", role="shop", service="db"):
        self.logins = [{"secret": secret, "version": version, "service": service, "role": role}]
        data = {"definition": DEFINITION, "steps": [], "stack": "demo", "logins": self.logins}
        (self.directory / "releases" / RELEASE / "release.json").write_text(json.dumps(data))

    def secret(self, version, name="app_login"):
        path = self.directory / "secrets" / name / str(version)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PASSWORD.format(version))
        return path

    def up(self, **keys):
        key = self.engine.add("db", "d-db", **keys)
        self.engine.containers[key]["Config"]["Env"] = ["PGDATA=/data"]

    # the clock
    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.now += seconds

    # the docker command
    def run(self, argv, data):
        if "exec" not in argv:
            self.ups.append(argv)
            self.up()
            return 0, "", ""
        assert argv[:3] == ["docker", "exec", "-i"]
        assert "exec psql" in argv[-1]
        assert not any(secret in " ".join(argv) for secret in ("pass-of", "SCRAM"))
        code = self.codes.pop(0) if self.codes else 0
        if code:
            return code, "", "psql: error: FATAL:  the database system is starting up\n"
        if "json_build_object" in data:
            self.silent = max(0, self.silent - 1)
            known = [{"name": name, **dict(NOTHING, **role)} for name, role in self.roles.items()]
            return 0, json.dumps({"listens": not self.silent, "roles": known}), ""
        self.told.append(data)
        self.obey(data)
        return 0, "", ""

    def obey(self, sql):
        for name, stored in re.findall(r'(?:CREATE|ALTER) ROLE "(.*?)" LOGIN PASSWORD \'(.*?)\'', sql):
            self.roles.setdefault(name, {}).update(can_login=True, stored=stored)
        for group, name in re.findall(r'GRANT "(.*?)" TO "(.*?)"', sql):
            self.roles[name]["member_of"] = [group]
        for name, role in re.findall(r'ALTER ROLE "(.*?)" SET role TO \'(.*?)\'', sql):
            self.roles[name]["settings"] = ["role=" + role]
        for name, mark in re.findall(r'COMMENT ON ROLE "(.*?)" IS \'(.*?)\'', sql):
            self.roles[name]["mark"] = mark
        for name in re.findall(r'ALTER ROLE "(.*?)" NOLOGIN', sql):
            self.roles[name]["can_login"] = False
        for name in re.findall(r'DROP ROLE "(.*?)"', sql):
            del self.roles[name]


NOTHING = {"can_login": False, "stored": None, "mark": None, "member_of": [], "settings": None, "depended": False}


@pytest.fixture
def host(tmp_path, monkeypatch, run_directory):
    with FakeEngine(tmp_path / "docker.sock") as engine:
        made = Host(engine, tmp_path)
        made.up()
        client = database_logins.EngineClient
        monkeypatch.setattr(database_logins, "EngineClient", lambda: client(engine.path))
        monkeypatch.setattr(database_logins, "detached", lambda *_arguments: made.run)
        monkeypatch.setattr(database_logins, "time", made)
        monkeypatch.setattr(database_logins, "listeners", list)
        monkeypatch.setattr(database_logins.signal, "signal", made.handlers.__setitem__)
        yield made


@pytest.fixture
def run(host, capsys):
    def call(check=False, **options):
        arguments = {"directory": str(host.directory), "release": RELEASE, "wait_timeout": 30}
        found = run_module(database_logins.main, capsys, dict(arguments, **options), check, True)
        assert "SCRAM-" not in found.seen
        assert "pass-of" not in found.seen
        return found

    return call


def actions(found):
    return [(one["name"], one["action"]) for one in found["logins"]]


def test_a_login_is_made_once_and_its_password_is_told_to_nobody(host, run):
    host.secret(1)
    found = run()
    assert actions(found) == [("app_login_v1", "created")]
    assert found["diff"] == {"before": "", "after": "db: login app_login_v1\n"}
    assert found["progress"] == ["db: login app_login_v1 created"]
    assert matches(host.roles["app_login_v1"]["stored"], b"pass-of-version-1")
    assert host.roles["app_login_v1"]["settings"] == ["role=shop"]
    assert "pass-of" not in "".join(host.told)
    found = run()
    assert (actions(found), found["changed"]) == ([("app_login_v1", "unchanged")], False)
    assert len(host.told) == 1


def test_both_versions_are_good_until_the_old_one_is_gone(host, run):
    old = host.secret(1)
    run()
    host.secret(2)
    host.record(2)
    assert actions(run()) == [("app_login_v2", "created")]
    assert host.roles["app_login_v1"]["can_login"]
    assert host.roles["app_login_v2"]["can_login"]
    old.unlink()
    found = run()
    assert actions(found) == [("app_login_v2", "unchanged"), ("app_login_v1", "dropped")]
    assert found["diff"] == {"before": "db: login app_login_v1\n", "after": ""}
    assert sorted(host.roles) == ["app_login_v2", "shop"]
    order = [host.told[-1].index(word) for word in ("NOLOGIN", "pg_terminate_backend", "DROP")]
    assert order == sorted(order)


@pytest.mark.parametrize(
    "tampered", [{"stored": None}, {"stored": verifier(b"other", b"salt")}, {"can_login": False}, {"member_of": []}, {"settings": ["a=b"]}]
)
def test_what_was_altered_is_put_right(host, run, tampered):
    host.secret(1)
    run()
    before = dict(host.roles["app_login_v1"])
    host.roles["app_login_v1"].update(tampered)
    assert actions(run(check=True)) == [("app_login_v1", "altered")]
    found = run()
    assert (actions(found), found["changed"]) == ([("app_login_v1", "altered")], True)
    assert dict(host.roles["app_login_v1"], stored=None) == dict(before, stored=None)
    assert matches(host.roles["app_login_v1"]["stored"], b"pass-of-version-1")


def test_what_something_depends_on_stays_without_being_able_to_log_in(host, run):
    old = host.secret(1)
    run()
    host.secret(2)
    host.record(2)
    run()
    old.unlink()
    host.roles["app_login_v1"]["depended"] = True
    assert actions(run(check=True))[1] == ("app_login_v1", "disabled")
    found = run()
    assert (actions(found)[1], found["changed"]) == (("app_login_v1", "disabled"), True)
    assert not host.roles["app_login_v1"]["can_login"]
    found = run()
    assert (actions(found)[1], found["changed"]) == (("app_login_v1", "left"), False)
    assert "REASSIGN OWNED BY app_login_v1" in found.warnings[0]


def test_check_mode_predicts_and_touches_nothing(host, run):
    host.engine.containers.clear()
    assert actions(run(check=True)) == [("app_login_v1", "created")]
    host.engine.away = 99
    assert actions(run(check=True)) == [("app_login_v1", "created")]
    host.engine.away = 0
    host.up()
    found = run(check=True)
    assert (actions(found), found["changed"]) == ([("app_login_v1", "created")], True)
    assert (host.told, host.ups, "progress" in found.result) == ([], [], False)


def test_in_check_mode_a_release_may_be_yet_to_come(host, run):
    assert actions(run(check=True, release="2" * 16)) == []
    assert actions(run(check=True, release="2" * 16, logins=host.logins)) == [("app_login_v1", "created")]
    assert "there is no release" in run(release="2" * 16)["msg"]


def test_a_release_of_before_there_were_logins_has_none(host, run):
    (host.directory / "releases" / RELEASE / "release.json").write_text(json.dumps({"definition": DEFINITION}))
    found = run()
    assert (actions(found), found["changed"], host.told) == ([], False, [])


def test_a_server_that_does_not_run_is_started_and_no_other_service(host, run):
    host.secret(1)
    host.engine.containers.clear()
    assert actions(run()) == [("app_login_v1", "created")]
    assert [argv[-1] for argv in host.ups] == ["db"]


@pytest.mark.parametrize(("codes", "silent"), [([2, 2], 0), ([], 4), ([2], 2)])
def test_a_server_is_waited_for_until_it_is_up_for_good(host, run, codes, silent):
    host.secret(1)
    host.codes, host.silent = codes, silent
    began = host.now
    found = run()
    assert actions(found) == [("app_login_v1", "created")]
    assert found["progress"][0] == "db: waits for the server to answer"
    assert host.now > began


def test_a_server_that_never_answers_is_an_error(host, run):
    host.secret(1)
    host.codes = [2] * 99
    found = run()
    assert "service db: the logins of its PostgreSQL server could not be seen to: psql: error" in found["msg"]
    assert "Remedy: see that the superuser" in found["msg"]
    host.codes = [1]
    assert "could not be seen to" in run()["msg"]


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({}, "there is no role shop, which login app_login_v1 of secret app_login is to act as. Remedy: name the role that owns"),
        ({"shop": {}, "app_login_v1": {"can_login": True}}, "there already is a role app_login_v1, and it was not made for secret app_login"),
        ({"shop": {}, "app_login_v1": {"mark": "portside.stack login web_login 1"}}, "it was not made for secret app_login"),
    ],
)
def test_what_is_not_ours_is_not_touched(host, run, roles, said):
    host.secret(1)
    host.secret(1, "web_login")
    host.roles = roles
    found = run()
    assert said in found["msg"]
    assert (found["changed"], host.told) == (False, [])


def test_without_the_version_or_the_server_the_remedy_is_told(host, run):
    assert "version 1 of secret app_login, the password of login app_login_v1, is not on the host" in run()["msg"]
    host.secret(1)
    for container in host.engine.containers.values():
        container["Config"]["Env"] = []
    assert "no PostgreSQL server runs as this service" in run()["msg"]
    host.record(1, service="gone")
    assert "service gone: no PostgreSQL server runs as this service" in run()["msg"]


def test_an_interrupt_begins_nothing_more(host, run):
    host.secret(1)
    real = host.run

    def interrupted(argv, data):
        host.handlers[signal.SIGTERM](signal.SIGTERM, None)
        return real(argv, data)

    host.run = interrupted
    assert "SIGTERM" in run()["msg"]
    assert host.told == []


# ---- the statements

LOGIN = Login("app_login", 3, "db", "shop")


@pytest.mark.parametrize(
    "data", [{"secret": "a/b", "role": "shop"}, {"secret": "a", "role": 'x"'}, {"secret": "a", "role": "Shop"}, {"secret": "a", "role": "shop", "version": 0}]
)
def test_names_that_would_be_more_than_names_are_refused(data):
    with pytest.raises(StackError, match="is not a login"):
        login_of(dict({"version": 1, "service": "db"}, **data))


def test_the_statements_come_all_or_none_and_leave_no_trace_in_the_log():
    made = ensure_sql(LOGIN, False, "STORED")
    assert made.index("log_statement") < made.index("BEGIN") < made.index("CREATE ROLE") < made.index("COMMIT")
    assert "ALTER ROLE \"app_login_v3\" LOGIN PASSWORD 'STORED'" in ensure_sql(LOGIN, True, "STORED")
    assert "a.rolname IN ('app_login_v3', 'shop')" in read_sql([LOGIN])


def test_a_name_from_the_server_is_quoted():
    sql = drop_sql(Role('a"b\'c', True, None, LOGIN.mark, [], None, False))
    assert 'DROP ROLE "a""b\'c";' in sql
    assert "usename = 'a\"b''c'" in sql


def test_no_role_is_no_login():
    assert not is_right(LOGIN, None, b"x")


def test_where_nobody_logs_in_any_more_what_is_left_is_closed(host, run):
    host.secret(1)
    run()
    host.secret(1).unlink()
    host.logins = []
    (host.directory / "releases" / RELEASE / "release.json").write_text(json.dumps({"definition": DEFINITION, "logins": []}))
    assert actions(run()) == []
    assert actions(run(services=["db", "gone"], check=True)) == [("app_login_v1", "dropped")]
    assert actions(run(services=["db", "gone"])) == [("app_login_v1", "dropped")]
    assert sorted(host.roles) == ["shop"]
