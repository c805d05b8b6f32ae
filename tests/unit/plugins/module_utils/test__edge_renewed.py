# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _edge_activate
from ansible_collections.portside.stack.plugins.module_utils._edge_renewed import serve_renewed
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._lease import StackLock
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from edge_host import edge_host

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="keys are root's")

ALICE = {"who": "alice", "origin": "laptop", "pid": 41, "started": "x"}
LINEAGE = "portside-demo"
ACME = {
    "kind": "acme",
    "file": "acme.pem",
    "names": ["a.test"],
    "email": "",
    "directory_url": "https://acme.test/dir",
    "certificate": LINEAGE,
}


@pytest.fixture(name="host")
def host_fixture(tmp_path, monkeypatch):
    engine, made = edge_host(tmp_path)
    real = _edge_activate.Edge.__init__
    monkeypatch.setattr(_edge_activate.Edge, "__init__", lambda *arguments: real(*arguments, root=str(tmp_path)))
    made.lock = StackLock("demo", made.time, str(tmp_path / "run"), "boot")
    with engine:
        made.present(made.release("a", "one", ACME))
        made.current("a")
        made.lines.clear()
        yield made


def renewed(host):
    client = EngineClient(host.engine.path)
    serve_renewed(ReleaseStore(str(host.directory)), host.lock, client, host.run, host, host.nginx, host.lines.append)


def shown(host):
    return host.nginx.loaded["certificates/acme.pem"]


def test_the_new_certificate_is_what_is_shown(host):
    before = shown(host)
    host.issue(LINEAGE, ["a.test"])
    renewed(host)
    assert shown(host) != before and host.loaded_as_on_disk()
    assert host.lines[-1] == "stack demo: release {0}: serves the new certificate".format("a" * 16)
    assert host.lock.read() is None
    assert not host.present(host.release("a", "one", ACME))["changed"]


def test_twice_is_once(host):
    host.issue(LINEAGE, ["a.test"])
    renewed(host)
    reloads = host.nginx.reloads
    renewed(host)
    assert (host.nginx.reloads, host.lines[-1].endswith("all is well")) == (reloads, True)


def test_a_run_that_goes_on_is_waited_for_and_what_it_made_current_counts(host):
    host.lock.acquire(ALICE, "deploy", "a", 1000)
    host.issue(LINEAGE, ["a.test"])
    real, until = host.sleep, host.now + 30

    def sleep(seconds):
        real(seconds)
        if host.lock.read() and host.now > until:
            host.release("b", "two")
            host.current("b")
            host.lock.release("a")

    host.sleep = sleep
    renewed(host)
    assert host.lines[-1] == "stack demo: its current release has no certificate that certbot renews"
    assert host.serves() == "one"


def test_a_certificate_of_other_names_is_not_served(host):
    before = shown(host)
    host.issue(LINEAGE, ["b.test"])
    with pytest.raises(StackError, match="it is not for a.test. The edge goes on .* Remedy: deploy the stack again"):
        renewed(host)
    host.issue(LINEAGE, ["b.test", "a.test"])
    renewed(host)
    assert shown(host) != before


def test_one_that_nginx_does_not_come_to_show_is_told_and_taken_back(host):
    before = shown(host)
    host.issue(LINEAGE, ["a.test"])
    host.nginx.busy = "one"
    with pytest.raises(StackError, match=r"(?s)service edge was reloaded, but did not come to serve .*nginx says: \[emerg\] bind\(\) to .* failed"):
        renewed(host)
    assert shown(host) == before and host.loaded_as_on_disk()


def test_an_edge_that_does_not_run_finds_it_when_it_does(host):
    host.issue(LINEAGE, ["a.test"])
    (one,) = host.engine.containers.values()
    one["State"]["Status"] = "exited"
    renewed(host)
    live = (host.root / "etc/letsencrypt/live" / LINEAGE / "fullchain.pem").read_text()
    assert (host.edge / "certificates/acme.pem").read_text().endswith(live)


def test_before_the_first_release_there_is_nothing_to_do(host):
    (host.directory / "current").unlink()
    renewed(host)
    assert host.lines == ["stack demo: its current release has no certificate that certbot renews"]
