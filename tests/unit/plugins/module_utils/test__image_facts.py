# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import tarfile
import urllib.parse

import pytest
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError
from ansible_collections.portside.stack.plugins.module_utils._image_facts import account, image_facts
from fake_engine import FakeEngine, Handler
from hypothesis import given
from hypothesis import strategies as st

PASSWD = "root:x:0:0::/root:/bin/sh\nbroken\napp:x:10001:10002::/:/bin/sh\n70:x:9:9::/:\n"
GROUP = "root:x:0:\nstaff:x:50:app\n"
IMAGE = {"Id": "sha256:1", "Config": {"Entrypoint": ["/entry"], "Cmd": ["serve"], "User": "app", "Env": ["PATH=/bin"]}}
FILES = {
    "/bin/sh": ("link", "../usr/bin/dash"),
    "/usr/bin/dash": (0o755, b"ELF"),
    "/etc/passwd": (0o644, PASSWD.encode()),
    "/etc/group": (0o644, GROUP.encode()),
}


class ImageHandler(Handler):
    """Containers that are made from an image and have its files, as the engine's archive API gives them."""

    def post_containers(self, engine, parts, query, body):
        assert parts == ["create"]
        name = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))["name"]
        if name in engine.containers:
            self.answer(409, {"message": "the name is in use"})
            return
        engine.containers[name] = body
        self.answer(201, {"Id": name})

    def delete_containers(self, engine, parts, query, _body):
        assert query == {"force": "1", "v": "1"}
        if parts[0] in engine.containers:
            super().delete_containers(engine, parts, query, _body)
        else:
            self.answer(404, {"message": "No such container"})

    def get_containers(self, engine, parts, query, _body):
        assert parts[0] in engine.containers and parts[1] == "archive"
        path = urllib.parse.urlsplit(query["path"]).path
        if path == engine.broken:
            self.answer(500, {"message": "no disk"})
            return
        normal = "/" + "/".join(_normal(path.split("/")))
        if normal not in engine.files:
            self.answer(404, {"message": "Could not find the file"})
            return
        mode, content = engine.files[normal]
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            info = tarfile.TarInfo(normal.rpartition("/")[2])
            if mode == "link":
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            elif mode == "folder":
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.mode, info.size = mode, len(content)
                archive.addfile(info, io.BytesIO(content))
        self.answer(200, out.getvalue())


def _normal(parts):
    found = []
    for part in parts:
        if part == "..":
            found.pop()
        elif part:
            found.append(part)
    return found


@pytest.fixture(name="engine")
def engine_fixture(tmp_path):
    with FakeEngine(tmp_path / "docker.sock") as fake:
        fake.RequestHandlerClass = ImageHandler
        fake.images["app@sha256:1"] = IMAGE
        fake.files, fake.broken = dict(FILES), ""
        yield fake


def facts(engine, known=None, check=False, names=("api",), images=None, **service):
    services = {name: dict({"image": "app:1"}, **service) for name in names}
    definition = {"name": "shop", "services": services, "x-portside": {"secret_environment": list(names)}}
    client = EngineClient(engine.path)
    return image_facts("shop", definition, {"app:1": "app@sha256:1"} if images is None else images, known or {}, client, check)


EXPECTED = {
    "image": "app@sha256:1",
    "user": "",
    "entrypoint": ["/entry"],
    "command": ["serve"],
    "healthcheck": None,
    "shell_form": [],
    "uid": 10001,
    "gid": 10002,
    "shell": True,
}


def test_they_are_read_from_a_container_that_is_never_started_and_is_removed(engine):
    assert facts(engine) == ({"api": EXPECTED}, [])
    assert engine.containers == {}
    assert not any("start" in request for request in engine.requests)


def test_one_container_serves_all_services_of_an_image(engine):
    found, _problems = facts(engine, names=("api", "worker"))
    assert found["worker"] == EXPECTED
    assert sum("create" in request for request in engine.requests) == 1


def test_what_the_current_release_knows_of_the_same_image_and_user_is_enough(engine):
    known = {"api": dict(EXPECTED, command=["known"])}
    found, _problems = facts(engine, known)
    assert found == known
    assert engine.requests == []
    assert facts(engine, known, user="70")[0]["api"]["command"] == ["serve"]
    assert facts(engine, {"api": dict(EXPECTED, image="app@sha256:0", command=["known"])})[0]["api"] == EXPECTED


def test_the_services_user_wins(engine):
    assert facts(engine, user="10001:staff")[0]["api"]["gid"] == 50


def test_a_plan_makes_no_container(engine):
    found, problems = facts(engine, check=True)
    assert (found["api"]["uid"], found["api"]["shell"], problems) == (0, True, [])
    assert facts(engine, check=True, user="7:8")[0]["api"]["gid"] == 8
    assert facts(engine, check=True, images={}) == ({}, [])
    assert not any("containers" in request for request in engine.requests)


@pytest.mark.parametrize(
    "shell",
    [None, ("link", "/no/such"), ("link", "sh"), (0o644, b"text"), ("folder", None)],
)
def test_without_a_shell_it_cannot_be(engine, shell):
    engine.files["/bin/sh"] = shell
    if shell is None:
        del engine.files["/bin/sh"]
    found, (problem,) = facts(engine)
    assert not found["api"]["shell"]
    for word in ("stack shop: service api: image app:1 has no /bin/sh", "Remedy", "visible: true"):
        assert word in problem


def test_an_image_that_has_gone_meanwhile_is_told(engine):
    engine.images.clear()
    assert facts(engine, images={}) == ({}, []), "nothing is known where nothing is pinned"
    found, (problem,) = facts(engine)
    assert found == {} and "image app:1 is not on the host any more" in problem


def test_a_user_that_the_image_does_not_know_is_told(engine):
    _found, (problem,) = facts(engine, user="nobody")
    assert "stack shop: service api: image app:1 is to run as user 'nobody'" in problem
    assert "nobody" in facts(engine, user="app:nobody")[1][0]


def test_a_variable_of_the_image_that_a_shell_would_lose_is_told(engine):
    engine.images["app@sha256:1"] = dict(IMAGE, Config={"Env": ["A=1", "a.b=2"]})
    _found, (problem,) = facts(engine)
    assert "sets a.b" in problem


def test_what_a_run_that_was_cut_off_left_is_removed_first(engine):
    engine.containers["shop-image-facts"] = {}
    assert facts(engine)[0]["api"] == EXPECTED
    assert engine.containers == {}


def test_the_container_goes_when_reading_fails(engine):
    engine.broken = "/etc/passwd"
    with pytest.raises(EngineError):
        facts(engine)
    assert engine.containers == {}


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", (0, 0)),
        ("app", (10001, 10002)),
        ("10001", (10001, 10002)),
        ("70", (70, 0)),
        ("70:staff", (70, 50)),
        ("app:", (10001, 10002)),
        ("app:7", (10001, 7)),
        (":7", (0, 7)),
        ("gone", (None, None)),
        ("app:gone", (10001, None)),
    ],
)
def test_accounts_are_read_as_the_engine_does(user, expected):
    assert account(user, PASSWD, GROUP) == expected


@given(st.text(max_size=12), st.text(max_size=60), st.text(max_size=60))
def test_any_file_is_borne(user, passwd, group):
    uid, gid = account(user, passwd, group)
    assert uid is None or uid >= 0
    assert gid is None or gid >= 0
