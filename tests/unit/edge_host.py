# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a stack that has an nginx edge: an engine, and an nginx that serves what it has loaded."""

from __future__ import annotations

import hashlib
import json
import os
import re
import ssl
import subprocess
import time

from ansible_collections.portside.stack.plugins.module_utils._compose_stack import StackOnHost
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from fake_engine import FakeEngine, Handler

BUSY = b"2026/01/01 00:00:00 [emerg] 1#1: bind() to 0.0.0.0:80 failed (98: Address already in use)\n"
BEGIN = "-----BEGIN CERTIFICATE-----"


def digest_of(config):
    return re.search(r"portside/([0-9a-f]{16})", config).group(1)


def config_of(body):
    """A configuration as far as it matters: what it is, and the digest it answers to."""
    return "# {0}\nlocation = /.well-known/portside/{1} {{ return 204; }}\n".format(body, hashlib.sha256(body.encode()).hexdigest()[:16])


class EdgeHandler(Handler):
    def post_containers(self, engine, parts, query, body):
        if parts[1] == "kill":
            assert "signal=HUP" in self.path
            engine.nginx.reload()
            self.answer(204, b"")
        else:
            if parts[1] == "stop":
                engine.nginx.loaded = None
            if parts[1] == "restart":
                engine.nginx.restart()
            super().post_containers(engine, parts, query, body)

    def get_containers(self, engine, parts, query, body):
        if parts[1:] == ["top"]:
            rows = [["1", "nginx: master process nginx"], [str(engine.nginx.workers), "nginx: worker process"]]
            self.answer(200, {"Titles": ["PID", "CMD"], "Processes": rows})
        else:
            super().get_containers(engine, parts, query, body)


class Nginx:
    """What it has loaded of the directory that it mounts, and whether its next reload fails on a busy port."""

    def __init__(self, directory):
        self.directory = directory
        self.loaded, self.workers, self.busy, self.reloads = None, 100, "", 0
        self.history, self.restarts = [], 0
        # What is done to its container when it has loaded a configuration.
        self.on_load = lambda: None
        # What is done when it cannot load one that it was told to.
        self.on_busy = lambda: None

    def restart(self):
        self.restarts += 1
        self.load()

    def load(self):
        files = {}
        for home, _folders, names in os.walk(self.directory):
            for name in names:
                path = os.path.join(home, name)
                with open(path, encoding="utf-8") as handle:
                    files[os.path.relpath(path, self.directory)] = handle.read()
        self.loaded = files
        self.workers += 1
        self.history.append(self.config.splitlines()[0][2:])
        self.on_load()

    def reload(self):
        self.reloads += 1
        with open(os.path.join(self.directory, "nginx.conf"), encoding="utf-8") as handle:
            text = handle.read()
        if not (self.busy and self.busy in text) and "broken" not in text:
            self.load()
        else:
            self.on_busy()

    @property
    def config(self):
        return self.loaded["nginx.conf"]

    def get(self, address, port, host, path):
        assert (address, port) == ("10.9.8.7", 80)
        if self.loaded is None:
            raise ConnectionRefusedError(111, "Connection refused")
        if path.startswith("/.well-known/acme-challenge/"):
            try:
                with open(os.path.join(self.directory, "acme" + path), encoding="utf-8") as handle:
                    return 200, handle.read()
            except FileNotFoundError:
                return 404, ""
        return (204 if path == "/.well-known/portside/" + digest_of(self.config) else 404), ""

    def certificate(self, address, port, name):
        assert (address, port) == ("10.9.8.7", 443)
        pem = next(text for path, text in self.loaded.items() if path.startswith("certificates/") and text)
        return ssl.PEM_cert_to_DER_cert(pem[pem.index(BEGIN) :].split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----")


class EdgeHost:
    """Runs real openssl, and stand-ins of docker, certbot and systemctl."""

    def __init__(self, root, engine):
        self.root, self.engine, self.directory = root, engine, root / "demo"
        self.edge = self.directory / "edge"
        engine.RequestHandlerClass = EdgeHandler
        engine.nginx = self.nginx = Nginx(str(self.edge))
        self.nginx.on_busy = lambda: setattr(engine, "logs", engine.logs + BUSY)
        self.commands, self.lines = [], []
        self.now = time.time()
        # Which command does not come to its end, as when the run is killed.
        self.killed_at, self.acme, self.issued = None, (0, ""), 0
        # What the health check of the container says to what nginx has loaded, and how often it was asked.
        self.health, self.checks = lambda: (0, ""), 0

    # -- the passed-in world ---------------------------------------------------------------------------------------

    def time(self):
        return self.now

    monotonic = time

    def sleep(self, seconds):
        self.now += seconds
        time.sleep(0.005)

    def run(self, argv, data):
        self.commands.append(argv)
        if argv[0] == "openssl":
            done = subprocess.run(argv, input=data or "", capture_output=True, text=True, check=False)
            return done.returncode, done.stdout, done.stderr
        if argv[0] == "certbot":
            return self.certbot(argv)
        if argv[0] == "systemctl":
            (self.root / "etc/systemd/system/timers.target.wants").mkdir(parents=True, exist_ok=True)
            (self.root / "etc/systemd/system/timers.target.wants/certbot.timer").touch()
            return 0, "", ""
        if argv[0] == "timeout":
            self.checks += 1
            code, said = self.health()
            return code, "", said
        if argv[1] == "exec":
            text = (self.edge / os.path.basename(argv[-1])).read_text()
            wrong = "nginx: [emerg] unknown directive \"broken\" in {0}:1\nnginx: configuration file {0} test failed\n".format(argv[-1])
            return (1, "", wrong) if "broken" in text else (0, "", "nginx: the configuration file is ok\n")
        return self.up(argv)

    def up(self, argv):
        name = argv[-1]
        with open(argv[argv.index("-f") + 1], encoding="utf-8") as handle:
            body = json.load(handle)["services"][name]
        for key in [key for key, one in self.engine.containers.items() if one["Name"] == "/demo-{0}-1".format(name)]:
            if "--force-recreate" not in argv:
                self.engine.containers[key]["State"]["Status"] = "running"
                break
            del self.engine.containers[key]
        else:
            key = self.engine.add(name, body["labels"]["portside.digest"], image=body["image"])
        self.engine.containers[key]["NetworkSettings"]["Networks"] = {"demo_default": {"IPAddress": "10.9.8.7", "NetworkID": "id-demo_default"}}
        if name == "edge":
            self.engine.containers[key]["Config"]["Healthcheck"] = {"Test": ["CMD", "check", "it"], "Timeout": 5 * 10**9}
            self.engine.containers[key]["Mounts"] = [{"Source": str(self.edge)}]
            self.nginx.load()
        return 0, "", ""

    def certbot(self, argv):
        if argv[1] == "delete":
            (self.root / "etc/letsencrypt/renewal" / (argv[-1] + ".conf")).unlink()
            return 0, "", ""
        code, out = self.acme
        if code:
            return code, out, ""
        webroot = argv[argv.index("--webroot-path") + 1]
        assert webroot == str(self.edge / "acme")
        names = [argv[at + 1] for at, word in enumerate(argv) if word == "--domain"]
        lineage = argv[argv.index("--cert-name") + 1]
        if (self.root / "etc/letsencrypt/live" / lineage).exists() and lineage not in self.renewed():
            return 1, "live directory exists for {0}\n".format(lineage), ""
        assert all(self.nginx.get("10.9.8.7", 80, name, "/health") for name in names)
        self.issue(lineage, names)
        return 0, "Successfully received certificate.\n", ""

    def issue(self, lineage, names, days="90"):
        self.issued += 1
        base = self.root / "etc/letsencrypt"
        for folder in ("live", "archive"):
            (base / folder / lineage).mkdir(parents=True, exist_ok=True)
        (base / "renewal").mkdir(exist_ok=True)
        (base / "renewal" / (lineage + ".conf")).write_text("[renewalparams]\nwebroot_path = {0}/acme,\n".format(self.edge))
        number = len(list((base / "archive" / lineage).iterdir())) // 2 + 1
        key, chain = certificate(names, days)
        for kind, text in (("privkey", key), ("fullchain", chain)):
            file = base / "archive" / lineage / "{0}{1}.pem".format(kind, number)
            file.write_text(text)
            link = base / "live" / lineage / (kind + ".pem")
            link.unlink(missing_ok=True)
            link.symlink_to(file)

    def renewed(self):
        """The certificates that certbot's timer renews."""
        return sorted(path.stem for path in (self.root / "etc/letsencrypt/renewal").glob("*.conf"))

    # -- a stack ---------------------------------------------------------------------------------------------------

    def release(self, name, body, tls=None, digest="d1", services=None, challenge=True):
        """Write a release; answers its definition and its Compose file."""
        home = self.directory / "releases" / (name * 16)[:16]
        (home / "edge/certificates").mkdir(parents=True, exist_ok=True)
        config = config_of(body)
        (home / "edge/nginx.conf").write_text(config)
        if challenge:
            (home / "edge/challenge.conf").write_text(config_of("challenge"))
        record = {"service": "edge", "kind": "nginx", "config": digest_of(config), "port": 80}
        label = {"portside.digest": digest}
        definition = {
            "name": "demo",
            "services": {
                **{one: {"image": "example/app:1", "labels": {"portside.digest": value}} for one, value in (services or {}).items()},
                "edge": {"image": "example/nginx:1", "labels": label, "depends_on": {one: {"condition": "service_started"} for one in services or {}}},
            },
            "networks": {"default": {"name": "demo_default", "external": True}},
            "x-portside": {"networks": {"demo_default": {}}, "edge": dict(record, **({"tls": tls} if tls else {}))},
        }
        (home / "compose.yaml").write_text(json.dumps(definition))
        (home / "release.json").write_text(json.dumps({"definition": definition}))
        return definition, str(home / "compose.yaml")

    def current(self, name):
        link = self.directory / "current"
        link.unlink(missing_ok=True)
        link.symlink_to("releases/" + (name * 16)[:16])

    def stack(self, release, check=False):
        params = {"definition": release[0], "file": release[1], "project_directory": str(self.directory), "wait_timeout": 60}
        client = EngineClient(self.engine.path)
        stack = StackOnHost(params, check, client, self.run, self, list, self.lines.append, self.nginx)
        stack._edge._certbot._root = str(self.root)
        return stack

    def present(self, release, check=False):
        return self.stack(release, check).present()

    def serves(self):
        return self.nginx.config.splitlines()[0][2:]

    def on_disk(self):
        return (self.edge / "nginx.conf").read_text().splitlines()[0][2:]

    def loaded_as_on_disk(self):
        now = Nginx(str(self.edge))
        now.load()
        skip = ("served", "acme")
        loaded, there = ({key: one for key, one in files.items() if not key.startswith(skip)} for files in (self.nginx.loaded, now.loaded))
        return loaded == there


def certificate(names, days="90"):
    """A key and a certificate, in PEM."""
    key = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], capture_output=True, text=True, check=True).stdout
    san = "subjectAltName=" + ",".join("DNS:" + name for name in names)
    words = ["openssl", "req", "-new", "-x509", "-batch", "-key", "/dev/stdin", "-days", days, "-subj", "/CN=x", "-addext", san]
    return key, subprocess.run(words, input=key, capture_output=True, text=True, check=True).stdout


def edge_host(tmp_path):
    engine = FakeEngine(tmp_path / "docker.sock")
    engine.networks["demo_default"] = {}
    (tmp_path / "demo").mkdir()
    return engine, EdgeHost(tmp_path, engine)
