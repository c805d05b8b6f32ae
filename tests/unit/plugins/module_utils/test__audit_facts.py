# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import stat
import tarfile
import types

import pytest
from ansible_collections.portside.stack.plugins.module_utils._audit_facts import World, read_audit
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineError, EngineUnavailable

WEB = "a" * 64
MAIN = "http { include conf.d/*.conf; }"
SITE = "server { server_name %s; location / { } }"
RULES = "ingress:\n  - service: http_status:404\n"


class Fs:
    """Files and links of a host by their paths."""

    def __init__(self, files, links):
        self.files, self.links = {"/proc/self/stat": b"", **files}, {"/proc/self/ns/pid": "pid:[1]", **links}

    def listdir(self, path):
        below = path.rstrip("/") + "/"
        names = {one[len(below) :].partition("/")[0] for one in [*self.files, *self.links] if one.startswith(below)}
        if not names:
            raise FileNotFoundError(2, "No such file or directory", path)
        return sorted(names)

    def read(self, path):
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.files[path]

    def readlink(self, path):
        if path not in self.links:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.links[path]

    def stat(self, path):
        if path in self.files:
            return types.SimpleNamespace(st_mode=stat.S_IFREG, st_size=len(self.files[path]))
        there = any(one.startswith(path + "/") for one in self.files)
        return types.SimpleNamespace(st_mode=stat.S_IFDIR, st_size=0) if there else None

    def realpath(self, path):
        return path


class Engine:
    """Containers, with their files."""

    def __init__(self, *inspections, files=None):
        self.inspections, self.files = {one["Id"]: one for one in inspections}, files or {}

    def containers(self):
        return [{"Id": key} for key in self.inspections]

    def get(self, path):
        found = self.inspections[path.split("/")[2]]
        if "gone" in found:
            raise EngineError(404, "No such container")
        return found

    def archive(self, _container, path, _most):
        inside = path.endswith("/.")
        path = path[:-2] if inside else path
        out, found = io.BytesIO(), False
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name, content in self.files.items():
                if name == path or inside and name.startswith(path + "/"):
                    found = True
                    member = tarfile.TarInfo("./" + name[len(path) + 1 :] if inside else name.rpartition("/")[2])
                    member.size = len(content)
                    if inside and len(archive.getmembers()) == 0:
                        top = tarfile.TarInfo("./")
                        top.type = tarfile.DIRTYPE
                        archive.addfile(top)
                    archive.addfile(member, io.BytesIO(content.encode()))
        return out.getvalue() if found else None


def process(pid, comm, cmdline, namespace="pid:[1]", container="", environ=""):
    proc = "/proc/{0}/".format(pid)
    cgroup = "0::/system.slice/docker-{0}.scope".format(container) if container else "0::/user.slice"
    files = {"comm": comm + "\n", "cmdline": cmdline.replace(" ", "\0"), "cgroup": cgroup, "environ": environ}
    return {proc + name: text.encode() for name, text in files.items()}, {proc + "ns/pid": namespace}


def inspection(name, identifier, pid=0, image="nginx:1.28", path="nginx", **config):
    state = {"Running": True, "Status": "running", "Pid": pid}
    return {"Id": identifier, "Name": "/" + name, "HostConfig": {}, "Config": {"Image": image, **config}, "State": state, "Path": path, "Args": []}


def read(engine=None, processes=(), files=None, root=True):
    every, links = {name: text.encode() for name, text in (files or {}).items()}, {}
    for some, link in processes:
        every.update(some)
        links.update(link)
    return read_audit(World(engine or Engine(), Fs(every, links), root))


HOST_NGINX = {"/etc/nginx/nginx.conf": MAIN, "/etc/nginx/conf.d/a.conf": SITE % "host"}


def test_the_nginx_of_the_host():
    running = [process(10, "nginx", "nginx: master process /usr/sbin/nginx"), process(11, "nginx", "nginx: worker process")]
    found = read(processes=running, files=HOST_NGINX)
    (one,) = found["nginx"]
    assert (one["container"], one["running"], one["servers"][0]["names"]) == ("", True, ["host"]) and found["unseen"] == []
    assert read(files=HOST_NGINX)["nginx"][0]["running"] is False
    assert read()["nginx"] == []


def test_the_nginx_of_a_container():
    files = {"/etc/nginx/nginx.conf": MAIN, "/etc/nginx/conf.d/a.conf": SITE % "inside"}
    engine = Engine(inspection("web", WEB, pid=20), files=files)
    running = [process(20, "nginx", "nginx: master process nginx -g daemon off;", "pid:[2]", WEB)]
    found = read(engine, running, HOST_NGINX)
    assert [(one["container"], one["running"], one["servers"][0]["names"]) for one in found["nginx"]] == [("", False, ["host"]), ("web", True, ["inside"])]


@pytest.mark.parametrize(("namespace", "container"), [("pid:[3]", WEB), ("pid:[3]", "b" * 64), ("pid:[3]", "")])
def test_an_nginx_whose_files_are_elsewhere_is_told_and_not_guessed(namespace, container):
    engine = Engine(inspection("web", WEB, pid=20))
    running = [process(20, "sh", "sh", "pid:[2]", WEB), process(21, "nginx", "nginx: master process nginx", namespace, container)]
    found = read(engine, running)
    assert found["nginx"] == [] and found["unseen"] == ["The configuration of 1 nginx was not read: it is in a container that this engine does not know."]


def test_what_is_wrong_with_a_configuration_is_told_with_its_place():
    found = read(processes=[process(10, "nginx", "nginx: master process nginx -c /srv/n.conf")])
    assert found["unseen"] == ["nginx of the host: /srv/n.conf is not there."] and "problems" not in found["nginx"][0]


def tunnels(found):
    return [(one["container"], one["path"], one["ingress"], one.get("elsewhere", ""), one["running"]) for one in found["cloudflared"]]


def test_the_cloudflared_of_the_host():
    config = {"/etc/cloudflared/config.yml": RULES, "/home/me/.cloudflared/config.yaml": RULES, "/srv/c.yml": RULES}
    running = [process(30, "cloudflared", "cloudflared --config /srv/c.yml tunnel run")]
    found = tunnels(read(processes=running, files=config))
    assert [one[1] for one in found] == ["/srv/c.yml", "/etc/cloudflared/config.yml", "/home/me/.cloudflared/config.yaml"]
    assert tunnels(read(files={"/etc/cloudflared/config.yml": RULES})) == [("", "/etc/cloudflared/config.yml", RULES, "", False)]
    for words, environ, kind in (
        ("cloudflared tunnel run --token x", "", "token"),
        ("cloudflared tunnel run", "A=b\0TUNNEL_TOKEN=x", "token"),
        ("cloudflared tunnel --url http://localhost:1", "", "url"),
        ("cloudflared tunnel run", "", "unknown"),
    ):
        assert tunnels(read(processes=[process(30, "cloudflared", words, environ=environ)])) == [("", "", "", kind, True)]


def test_the_cloudflared_of_a_container():
    image = "cloudflare/cloudflared:2026.8.2"
    files = {"/etc/cloudflared/config.yml": RULES}
    assert tunnels(read(Engine(inspection("t", WEB, image=image), files=files))) == [("t", "/etc/cloudflared/config.yml", RULES, "", True)]
    assert tunnels(read(Engine(inspection("t", WEB, image=image)))) == [("t", "", "", "unknown", True)]
    assert tunnels(read(Engine(inspection("t", WEB, image=image, Env=["TUNNEL_TOKEN=x"]), files=files))) == [("t", "", "", "token", True)]
    other = inspection("t", WEB, image="tools:1", path="/usr/bin/cloudflared")
    assert tunnels(read(Engine(dict(other, Args=["--config", "/c.yml"]), files={"/c.yml": "ingress: x"}))) == [("t", "/c.yml", "", "", True)]
    broken = read(Engine(dict(other, Args=["--config", "/c.yml"]), files={"/c.yml": "ingress: x"}))
    assert broken["unseen"] == ["cloudflared of container t: /c.yml could not be read: line 1: the rules are not written as lines below ingress."]


def test_containers_that_vanish_and_engines_that_refuse():
    engine = Engine(inspection("a", WEB), dict(inspection("b", "b" * 64), gone=True))
    assert [one["name"] for one in read(engine)["containers"]] == ["a"]
    assert "did not run as root" in read(root=False)["unseen"][0]


@pytest.mark.parametrize("error", [EngineUnavailable("no engine."), EngineError(500, "it is ill")])
def test_an_engine_that_does_not_answer(error, monkeypatch):
    def refuse(_engine):
        raise error

    monkeypatch.setattr(Engine, "containers", refuse)
    assert read()["unseen"] == ["Containers were not seen: {0}.".format(str(error).rstrip("."))]
