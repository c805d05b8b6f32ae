# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess

import pytest
from ansible_collections.portside.stack.plugins.module_utils._compose_report import ActivationFailed, error_text
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from edge_host import BUSY, certificate, edge_host

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="keys are root's")

SELF = {"kind": "self_signed", "file": "self-signed.pem", "names": ["a.test"]}
ACME = {
    "kind": "acme",
    "file": "acme.pem",
    "names": ["a.test", "b.test"],
    "email": "",
    "directory_url": "https://acme.test/dir",
    "certificate": "portside-demo",
}
FILES = {"kind": "files", "certificates": [{"file": "0.pem", "key": {"secret": "tls_key", "version": 2}}]}
REFUSED = """Saving debug log to /var/log/letsencrypt/letsencrypt.log
Requesting a certificate for a.test and b.test

Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: b.test
  Type:   unauthorized
  Detail: 192.0.2.7: Invalid response from http://b.test/.well-known/acme-challenge/x: 404

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.

Some challenges have failed.
"""


@pytest.fixture(name="host")
def host_fixture(tmp_path):
    engine, made = edge_host(tmp_path)
    with engine:
        yield made


def reload_of(result):
    return [one["reason"] for one in result["actions"] if one["action"] == "reload"]


def hooked(host):
    return (host.root / "etc/letsencrypt/renewal-hooks/deploy/portside-demo").exists()


def key(host, text):
    home = host.directory / "secrets" / "tls_key"
    home.mkdir(parents=True, exist_ok=True)
    (home / "2").write_text(text)


# -- files, reload and what serves -----------------------------------------------------------------------------------


def test_a_new_edge_finds_its_files_there_and_is_not_reloaded(host):
    result = host.present(host.release("a", "one", SELF))
    assert [(one["service"], one["action"]) for one in result["actions"]] == [("edge", "create")]
    assert (host.nginx.history, host.nginx.reloads) == (["one"], 0)
    modes = {name: oct((host.edge / name).stat().st_mode)[-3:] for name in ("", "nginx.conf", "certificates", "certificates/self-signed.pem", "acme")}
    assert modes == {"": "755", "nginx.conf": "644", "certificates": "700", "certificates/self-signed.pem": "600", "acme": "755"}


def test_where_all_is_as_declared_nothing_is_done(host):
    release = host.release("a", "one", SELF)
    host.present(release)
    host.commands.clear()
    before = {path: path.stat().st_mtime_ns for path in host.edge.rglob("*")}
    assert not host.present(release)["changed"]
    assert not host.present(release, check=True)["changed"]
    assert {argv[0] for argv in host.commands} == {"openssl"} and host.nginx.reloads == 0
    assert {path: path.stat().st_mtime_ns for path in host.edge.rglob("*")} == before


def test_a_kept_edge_is_reloaded_once_all_is_up_and_before_anything_goes(host):
    host.present(host.release("a", "one", services={"api": "d1", "old": "d1"}))
    inode, seen = host.edge.stat().st_ino, []
    real = host.nginx.reload
    host.nginx.reload = lambda: (seen.extend(sorted(one["Name"] for one in host.engine.containers.values())), real())
    result = host.present(host.release("b", "two", services={"api": "d2", "new": "d1"}))
    assert reload_of(result) == ["its configuration changed"]
    assert seen == ["/demo-api-1", "/demo-edge-1", "/demo-new-1", "/demo-old-1"]
    assert not any("old" in name for name in host.engine.containers)
    assert (host.nginx.history, host.edge.stat().st_ino) == (["one", "two"], inode)


def test_a_configuration_that_nginx_refuses_is_never_loaded(host):
    host.present(host.release("a", "one", SELF))
    before = {path: path.read_bytes() for path in host.edge.rglob("*") if path.is_file()}
    with pytest.raises(ActivationFailed) as failure:
        host.present(host.release("b", "broken", dict(SELF, names=["b.test"])))
    story = failure.value.story
    assert "stack demo: service edge refuses its new configuration, and goes on with the old one: " in story
    assert "unknown directive" in story and "test failed" not in story
    assert failure.value.details["failure"]["service"] == "edge"
    assert host.nginx.reloads == 0
    assert {path: path.read_bytes() for path in host.edge.rglob("*") if path.is_file()} == before
    assert not host.present(host.release("a", "one", SELF))["changed"]


def test_a_reload_that_nginx_did_not_follow_is_seen_and_taken_back(host):
    host.present(host.release("a", "one", SELF))
    host.engine.logs = b'10.1.1.1 - - "GET /private HTTP/1.1" 200\n'
    host.nginx.busy = "two"
    with pytest.raises(ActivationFailed) as failure:
        host.present(host.release("b", "two", dict(SELF, names=["b.test"])))
    assert "did not come to serve its new files, so the old ones are back: http://10.9.8.7:80 answers from another" in failure.value.story
    assert failure.value.story.endswith("; nginx says: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use).")
    assert "private" not in str(failure.value) + str(failure.value.details)
    assert reload_of(failure.value.details) == ["its configuration changed, its certificate is not for b.test"]
    assert (host.serves(), host.on_disk(), host.loaded_as_on_disk()) == ("one", "one", True)


def test_what_nginx_says_of_a_busy_port_is_found_among_many_requests(host):
    host.present(host.release("a", "one"))
    host.nginx.busy = "two"
    host.nginx.on_busy = lambda: setattr(host.engine, "logs", BUSY + b'10.1.1.1 - - "GET /private HTTP/1.1" 200\n' * 3000)
    with pytest.raises(ActivationFailed, match=r"nginx says: \[emerg\] bind\(\) to 0.0.0.0:80 failed \(98: Address already in use\)"):
        host.present(host.release("b", "two"))


def sick_with(host, body):
    host.health = lambda: (22, "curl: (22) The requested URL returned error: 404\n") if host.serves() == body else (0, "")


def test_an_edge_that_is_not_healthy_with_what_it_serves_gets_the_old_files_back(host):
    host.present(host.release("a", "one", SELF))
    sick_with(host, "two")
    with pytest.raises(ActivationFailed) as failure:
        host.present(host.release("b", "two", dict(SELF, names=["b.test"])))
    assert failure.value.story == (
        "stack demo: service edge was reloaded, but is not healthy with its new files, so the old ones are back: its health check fails "
        "(exit code 22 within 5 s): curl: (22) The requested URL returned error: 404."
    )
    assert ["timeout", "--kill-after=5", "5.0", "docker", "exec", "edge-1", "check", "it"] in host.commands
    assert (host.serves(), host.on_disk(), host.loaded_as_on_disk()) == ("one", "one", True)
    assert host.nginx.history == ["one", "two", "one"] and host.checks > 1
    host.present(host.release("a", "one", SELF))
    assert not host.present(host.release("a", "one", SELF))["changed"]


def test_a_check_that_fails_for_a_moment_is_waited_for(host):
    host.present(host.release("a", "one"))
    answers = [(1, ""), (1, "")]
    host.health = lambda: answers.pop() if answers else (0, "")
    assert host.present(host.release("b", "two"))["changed"] and host.nginx.history == ["one", "two"]


def test_what_answers_challenges_alone_need_not_be_healthy(host):
    real = host.nginx.get
    host.nginx.get = lambda address, port, name, path: real(address, port, name, path) if host.serves() != "one" or "acme-" not in path else (444, "")
    host.present(host.release("a", "one"))
    sick_with(host, "challenge")
    host.present(host.release("b", "two", ACME))
    assert host.nginx.history == ["one", "challenge", "two"]


def test_a_reload_that_was_not_made_is_not_among_what_was_done(host):
    host.present(host.release("a", "one", services={"api": "d1"}))
    up = host.up
    host.up = lambda argv: (1, "", "no such image") if argv[-1] == "api" else up(argv)
    with pytest.raises(ActivationFailed) as failure:
        host.present(host.release("b", "two", services={"api": "d2"}))
    assert [one["service"] for one in failure.value.details["actions"]] == ["api"] and host.nginx.reloads == 0
    host.up = up
    with pytest.raises(ActivationFailed) as failure:
        host.present(host.release("c", "broken", services={"api": "d1"}))
    assert failure.value.details["actions"] == [] and not failure.value.details["changed"]
    with pytest.raises(ActivationFailed, match="refuses its new configuration"):
        host.present(host.release("c", "broken", services={"api": "d1"}))


def test_a_started_edge_that_does_not_serve_says_why_and_nothing_of_requests(host):
    host.nginx.get = lambda *_given: (404, "")
    host.engine.logs = b'10.1.1.1 - - "GET /private HTTP/1.1" 200\n2026/01/01 00:00:00 [alert] 1#1: too many files\n'
    with pytest.raises(ActivationFailed) as failure:
        host.present(host.release("a", "one"))
    assert failure.value.story.endswith("another configuration (404); nginx says: [alert] too many files.")


def test_a_full_disk_is_told_with_the_file_and_what_to_do(host, monkeypatch):
    host.present(host.release("a", "one"))

    class Full(io.BytesIO):
        def write(self, _data):
            raise OSError(errno.ENOSPC, "No space left on device")

    real = os.fdopen

    def fdopen(descriptor, *mode):
        if not os.readlink("/proc/self/fd/{0}".format(descriptor)).endswith("nginx.conf.new"):
            return real(descriptor, *mode)
        os.close(descriptor)
        return Full()

    monkeypatch.setattr(os, "fdopen", fdopen)
    with pytest.raises(OSError) as failure:
        host.present(host.release("b", "two"))
    told = error_text("demo", failure.value)
    assert told.startswith("stack demo: {0}/nginx.conf.new: No space left on device. Remedy: make room there".format(host.edge))
    monkeypatch.undo()
    assert host.serves() == "one"
    host.present(host.release("b", "two"))
    assert (host.serves(), host.loaded_as_on_disk()) == ("two", True)


def test_certificates_that_were_not_loaded_are_seen_though_the_configuration_is_the_same(host):
    host.present(host.release("a", "one", SELF))
    host.nginx.busy = "one"
    with pytest.raises(ActivationFailed, match="workers are still those of before"):
        host.present(host.release("b", "one", dict(SELF, names=["b.test"])))
    host.nginx.busy = ""
    host.present(host.release("a", "one", SELF))
    assert host.loaded_as_on_disk()


def test_what_somebody_edited_is_told_and_healed(host):
    release = host.release("a", "one")
    host.present(release)
    (host.edge / "nginx.conf").write_text((host.edge / "nginx.conf").read_text() + "# mine\n")
    planned = host.present(release, check=True)
    assert planned["changed"] and reload_of(planned) == ["nginx.conf was edited"]
    assert planned["diff"][0]["after"] == "edge: reloaded (nginx.conf was edited)\n"
    assert planned["diff"][1]["before"].endswith("# mine\n") and "# mine" not in planned["diff"][1]["after"]
    assert host.nginx.reloads == 0
    assert host.present(release)["changed"]
    assert "# mine" not in host.nginx.config and not host.present(release)["changed"]


def test_in_check_mode_a_release_need_not_be_there_yet(host):
    host.present(host.release("a", "one"))
    definition, file = host.release("b", "two")
    for path in (host.directory / "releases" / ("b" * 16)).rglob("*.*"):
        path.unlink()
    planned = host.present((definition, file), check=True)
    assert reload_of(planned) == ["its configuration changed"]
    assert isinstance(planned["diff"], dict)
    with pytest.raises(StackError, match="edge/nginx.conf is not there, which belongs to the release. Remedy"):
        host.present((definition, file))


def test_an_nginx_that_went_back_by_itself_is_reloaded(host):
    """Somebody had it load another file, and put the right one back without a reload."""
    release = host.release("a", "one")
    host.present(release)
    text = (host.edge / "nginx.conf").read_text()
    (host.edge / "nginx.conf").write_text(text.replace("portside/", "portside/0123456789abcdef0"))
    host.nginx.load()
    (host.edge / "nginx.conf").write_text(text)
    assert reload_of(host.present(release)) == ["it does not serve its configuration"]
    assert not host.present(release)["changed"]


def test_an_edge_that_stands_still_is_started_with_its_files(host):
    release = host.release("a", "one")
    host.present(release)
    (one,) = host.engine.containers.values()
    one["State"]["Status"] = "exited"
    (host.edge / "nginx.conf").unlink()
    assert [one["action"] for one in host.present(release)["actions"]] == ["start"]
    assert host.on_disk() == "one"


@pytest.mark.parametrize("copied", [False, True])
def test_an_edge_whose_directory_was_removed_is_started_anew(host, monkeypatch, copied):
    """A container sees the directory that was there when it was started, for as long as it runs."""
    release = host.release("a", "one", SELF)
    real, mounted = FileSystem.stat, []

    def stat(self, path):
        return mounted[-1] if path.startswith("/proc/4242/root") else real(self, path)

    monkeypatch.setattr(FileSystem, "stat", stat)
    host.nginx.on_load = lambda: mounted.append(os.stat(host.edge))
    host.present(release)
    (one,) = host.engine.containers.values()
    one["State"]["Pid"] = 4242
    assert not host.present(release)["changed"]
    host.edge.rename(host.root / "removed")
    if copied:
        shutil.copytree(host.root / "removed", host.edge)
    planned = host.present(release, check=True)
    assert planned["changed"] and "its container has a directory that was removed" in planned["actions"][0]["reason"]
    assert host.nginx.restarts == 0 and host.edge.exists() is copied
    assert [one["action"] for one in host.present(release)["actions"]] == ["restart"]
    assert (host.nginx.restarts, host.serves(), host.loaded_as_on_disk()) == (1, "one", True)
    assert not host.present(release)["changed"]


@pytest.mark.parametrize("state, restarts", [("running", 0), ("restarting", 1)])
def test_an_edge_that_cannot_be_well_with_its_files_gets_others_before_it_is_waited_for(host, state, restarts):
    """Its probe goes through its own routes, or what somebody wrote there does not let it start."""
    host.present(host.release("a", "one"))
    (one,) = host.engine.containers.values()
    one["State"].update(Status=state, Health={"Status": "unhealthy", "FailingStreak": 3, "Log": []})
    if state == "restarting":
        host.nginx.loaded = None
    well = {"Status": "healthy", "FailingStreak": 0, "Log": []}
    host.nginx.on_load = lambda: one["State"].update(Health=well) if host.serves() == "two" else None
    result = host.present(host.release("b", "two"))
    assert result["changed"] and (host.serves(), host.nginx.restarts) == ("two", restarts)
    assert not host.present(host.release("b", "two"))["changed"]


def test_steps_that_need_other_services_leave_a_running_edge_alone(host):
    host.present(host.release("a", "one"))
    host.stack(host.release("b", "two", services={"api": "d1"})).start_missing({"edge"}, themselves=True)
    assert (host.serves(), host.nginx.reloads) == ("one", 0)


class Killed(BaseException):
    """The run is over at this very moment."""


@pytest.mark.parametrize("tls, first", [(None, False), (SELF, False), (ACME, False), (ACME, True)])
def test_after_a_kill_at_any_moment_the_next_run_heals(tmp_path, monkeypatch, tls, first):
    """At every change of a file, every command and every reload in turn."""
    for moment in range(1, 200):
        home = tmp_path / str(moment)
        home.mkdir()
        engine, host = edge_host(home)
        with engine:
            if not first:
                host.present(host.release("a", "one", SELF))
            release = host.release("b", "two", tls)
            left = [moment]

            def tick(left=left):
                left[0] -= 1
                if left[0] == 0:
                    raise Killed

            def killing(real, tick=tick):
                def act(*arguments, **keys):
                    tick()
                    return real(*arguments, **keys)

                return act

            with monkeypatch.context() as patch:
                for name in ("rename", "write_new", "unlink", "chmod"):
                    patch.setattr(FileSystem, name, killing(getattr(FileSystem, name)))
                patch.setattr(host, "run", killing(host.run))
                real_post = type(host.stack(release).engine).post
                patch.setattr(type(host.stack(release).engine), "post", killing(real_post))
                try:
                    host.present(release)
                except Killed:
                    killed = True
                else:
                    killed = False
            host.present(release)
            assert (host.serves(), host.loaded_as_on_disk()) == ("two", True), moment
            assert not list(host.edge.rglob("*.new")), moment
            assert not host.present(release)["changed"], moment
            if not killed:
                assert moment > 5
                return
    pytest.fail("it never came to its end")


# -- certificates ----------------------------------------------------------------------------------------------------


def test_a_self_signed_certificate_is_kept_until_it_does_not_do_any_more(host):
    pem = host.edge / "certificates/self-signed.pem"
    host.present(host.release("a", "one", SELF))
    made = pem.read_bytes()
    host.present(host.release("b", "two", SELF))
    assert pem.read_bytes() == made
    result = host.present(host.release("c", "three", dict(SELF, names=["a.test", "*.b.test", "10.0.0.1"])))
    assert reload_of(result) == ["its configuration changed, its certificate is not for *.b.test, 10.0.0.1"]
    wider = pem.read_bytes()
    assert wider != made and host.loaded_as_on_disk()
    host.now += 800 * 86400
    assert reload_of(host.present(host.release("c", "three", SELF))) == ["its certificate ends in less than 30 days"]
    assert pem.read_bytes() != wider


def test_no_key_is_ever_in_an_argument(host):
    host.present(host.release("a", "one", SELF))
    keyed = [argv for argv in host.commands if any("PRIVATE" in word for word in argv)]
    assert keyed == []


def test_a_brought_certificate_is_put_together_with_its_key(host):
    secret, chain = certificate(["a.test"])
    key(host, secret)
    release = host.release("a", "one", FILES)
    home = host.directory / "releases" / ("a" * 16) / "edge/certificates"
    (home / "0.pem").write_text(chain)
    host.present(release)
    pem = host.edge / "certificates/0.pem"
    assert pem.read_text() == secret + chain
    host.commands.clear()
    assert not host.present(release)["changed"] and host.commands == []
    secret, chain = certificate(["a.test"])
    key(host, secret)
    (home / "0.pem").write_text(chain)
    assert reload_of(host.present(release)) == ["its certificate 0.pem changed"]
    assert host.nginx.loaded["certificates/0.pem"] == secret + chain
    host.present(host.release("b", "two"))
    assert not pem.exists()


@pytest.mark.parametrize("wrong", ["other", "garbage", "absent", "encrypted"])
def test_a_key_that_does_not_belong_is_told_before_anything_is_replaced(host, wrong):
    secret, chain = certificate(["a.test"])
    release = host.release("a", "one", FILES)
    (host.directory / "releases" / ("a" * 16) / "edge/certificates/0.pem").write_text(chain)
    locked = subprocess.run(["openssl", "pkey", "-aes256", "-passout", "pass:x"], input=secret, capture_output=True, text=True, check=True)
    texts = {"other": certificate(["a.test"])[0], "garbage": "hunter2", "encrypted": locked.stdout}
    if wrong != "absent":
        key(host, texts[wrong])
    with pytest.raises(StackError) as failure:
        host.present(release)
    said = str(failure.value)
    assert said.startswith("stack demo: service edge: certificate 0.pem: ") and "tls_key" in said and "Remedy" in said
    assert {"other": "is for another key", "absent": "is not on the host"}.get(wrong, "cannot be read") in said
    assert "hunter2" not in said
    assert not host.edge.exists() and host.engine.containers == {}


# -- ACME ------------------------------------------------------------------------------------------------------------


def test_the_first_certificate_is_there_before_the_first_visitor(host):
    release = host.release("a", "one", ACME)
    host.present(release)
    assert host.nginx.history == ["challenge", "one"]
    assert host.issued == 1 and host.loaded_as_on_disk()
    assert not host.present(release)["changed"]
    assert host.issued == 1
    (argv,) = [argv for argv in host.commands if argv[0] == "certbot"]
    assert {"--non-interactive", "--agree-tos", "--register-unsafely-without-email", "--no-directory-hooks"} < set(argv)
    assert argv[argv.index("--server") + 1] == "https://acme.test/dir"


def test_a_running_edge_answers_the_challenges_before_anything_is_changed(host):
    host.present(host.release("a", "one", dict(ACME, names=["a.test"]), services={"api": "d1"}))
    host.commands.clear()
    host.present(host.release("b", "two", ACME, services={"api": "d2"}))
    kinds = [argv[0] if argv[0] != "docker" else argv[-1] for argv in host.commands if argv[0] != "openssl"]
    assert kinds == ["certbot", "api", "/etc/portside/nginx.conf.new", "timeout"]
    assert host.nginx.history == ["challenge", "one", "two"]
    assert not list(host.edge.rglob("portside-check"))
    # certbot puts its own there, and nginx reads it as a user of its own.
    assert [oct(path.stat().st_mode)[-3:] for path in (host.edge / "acme").rglob("*")] == ["755", "755"]


def test_an_edge_that_does_not_answer_challenges_is_given_what_does(host):
    host.present(host.release("a", "one"))
    real = host.nginx.get

    def get(address, port, name, path):
        known = "acme-challenge" not in path or host.serves() == "challenge" or name == "a.test"
        return real(address, port, name, path) if known else (444, "")

    host.nginx.get = get
    host.acme = (1, REFUSED)
    with pytest.raises(ActivationFailed, match="edge has no certificate"):
        host.present(host.release("b", "two", ACME))
    assert (host.serves(), host.on_disk()) == ("one", "one")
    host.acme = (0, "")
    host.present(host.release("b", "two", ACME))
    assert host.nginx.history == ["one", "challenge", "one", "challenge", "two"]


def test_a_failing_challenge_leaves_all_as_it_was(host):
    host.present(host.release("a", "one", dict(ACME, names=["a.test"]), services={"api": "d1"}))
    before = {path: path.read_bytes() for path in host.edge.rglob("*") if path.is_file()}
    containers = dict(host.engine.containers)
    host.acme = (1, REFUSED)
    stack = host.stack(host.release("b", "two", ACME, services={"api": "d2"}))
    with pytest.raises(StackError) as failure:
        stack.present()
    assert not stack.began
    said = str(failure.value)
    assert said.startswith("stack demo: https://acme.test/dir issued no certificate for a.test, b.test:\n  b.test: unauthorized: 192.0.2.7: Invalid")
    assert "Hint" not in said and "Remedy: see that port 80 of this host is reachable" in said
    assert {path: path.read_bytes() for path in host.edge.rglob("*") if path.is_file()} == before
    assert host.engine.containers == containers and host.serves() == "one"


def test_without_a_first_certificate_nothing_is_served_but_challenges(host):
    host.acme = (1, REFUSED)
    with pytest.raises(ActivationFailed, match=r"(?s)service edge has no certificate: https://acme.test/dir issued no .*b.test: unauthorized"):
        host.present(host.release("a", "one", ACME))
    assert host.nginx.history == ["challenge"]


def test_going_back_does_not_fail_for_a_certificate_that_still_counts(host):
    """The failed release had certbot drop a name that the one before needs, and certbot does not get it again."""
    before = host.release("a", "one", ACME)
    host.present(before)
    narrower = host.present(host.release("b", "two", dict(ACME, names=["a.test"])))
    assert "it is still for b.test" in reload_of(narrower)[0]
    host.acme = (1, "An unexpected error occurred:\ntoo many certificates (5) already issued\n")
    host.present(before)
    assert host.serves() == "one"
    assert any("goes on with the certificate of before" in line and "edge.tls.staging: true" in line for line in host.lines)


def test_certbot_that_is_busy_is_waited_for(host):
    real, answers = host.certbot, [(1, "", "Another instance of Certbot is already running.\n")] * 3
    host.certbot = lambda argv: answers.pop() if answers else real(argv)
    host.present(host.release("a", "one", ACME))
    assert host.issued == 1
    host.certbot = lambda argv: (1, "", "Another instance of Certbot is already running.\n")
    with pytest.raises(StackError, match="see what certbot does on the host"):
        host.present(host.release("b", "two", dict(ACME, names=["c.test"])))


def test_renewal_is_seen_to_where_systemd_is(host):
    release = host.release("a", "one", ACME)
    host.present(release)
    assert not (host.root / "etc/letsencrypt/renewal-hooks").exists()
    (host.root / "run/systemd/system").mkdir(parents=True)
    assert reload_of(host.present(release)) == ["what is to follow a renewal of its certificate is not there"]
    hook = host.root / "etc/letsencrypt/renewal-hooks/deploy/portside-demo"
    assert hook.stat().st_mode & 0o777 == 0o755
    assert '[ "$RENEWED_LINEAGE" = "/etc/letsencrypt/live/portside-demo" ] || exit 0' in hook.read_text()
    assert '"{0}"'.format(host.directory) in hook.read_text()
    assert ["systemctl", "enable", "--now", "certbot.timer"] in host.commands
    assert not host.present(release)["changed"]


def test_one_that_ends_soon_is_asked_for_again_and_goes_on_if_that_fails(host):
    release = host.release("a", "one", ACME)
    host.present(release)
    host.now += 85 * 86400
    host.acme = (1, REFUSED)
    result = host.present(release)
    assert reload_of(result) == ["its certificate is to be asked for: it ends soon and was not renewed"]
    assert (host.serves(), host.nginx.reloads) == ("one", 1), "the first was from challenges alone; there is nothing new"
    host.now += 10 * 86400
    with pytest.raises(StackError, match="issued no certificate"):
        host.present(release)


# -- an edge that is given up ----------------------------------------------------------------------------------------


def without_edge(host):
    """A release of the same services, where something else, or nothing, leads to them."""
    definition, file = host.release("e", "none", services={"api": "d1"})
    del definition["services"]["edge"], definition["x-portside"]["edge"]
    with open(file, "w", encoding="utf-8") as handle:
        json.dump(definition, handle)
    return definition, file


@pytest.mark.parametrize("tls", [SELF, ACME])
def test_without_an_edge_no_keys_are_left_and_nothing_is_renewed(host, tls):
    (host.root / "run/systemd/system").mkdir(parents=True)
    host.present(host.release("a", "one", tls, services={"api": "d1"}))
    assert host.renewed() == (["portside-demo"] if tls is ACME else []) and hooked(host) is (tls is ACME)
    release = without_edge(host)
    host.present(release, check=True)
    assert host.loaded_as_on_disk()
    host.present(release)
    assert not host.edge.exists() and host.renewed() == [] and not hooked(host)
    assert not host.present(release)["changed"]
    host.present(host.release("a", "one", tls, services={"api": "d1"}))
    assert (host.serves(), host.loaded_as_on_disk()) == ("one", True)
    assert host.issued == (1 if tls is ACME else 0) and host.renewed() == (["portside-demo"] if tls is ACME else [])
    assert hooked(host) is (tls is ACME)


def test_while_a_container_has_the_directory_it_stays(host):
    host.present(host.release("a", "one", SELF, services={"api": "d1"}))
    host.engine.containers["api-1"]["Mounts"] = [{"Source": str(host.edge)}]
    host.present(without_edge(host))
    assert (host.edge / "certificates/self-signed.pem").exists()


def test_a_failed_activation_leaves_the_keys_of_what_serves(host):
    host.present(host.release("a", "one", ACME, services={"api": "d1"}))
    release = without_edge(host)
    release[0]["services"]["api"]["labels"]["portside.digest"] = "d2"
    host.up = lambda _argv: (1, "", "no such image")
    with pytest.raises(ActivationFailed):
        host.present(release)
    assert host.loaded_as_on_disk() and host.renewed() == ["portside-demo"]


def test_an_edge_that_gives_up_acme_has_nothing_renewed_until_it_takes_it_up_again(host):
    (host.root / "run/systemd/system").mkdir(parents=True)
    acme = host.release("a", "one", ACME)
    host.present(acme)
    host.present(host.release("b", "two"))
    assert host.renewed() == [] and not hooked(host)
    host.present(acme)
    assert (host.serves(), host.issued, host.renewed(), hooked(host)) == ("one", 1, ["portside-demo"], True)
    host.present(host.release("b", "two"))
    host.now += 85 * 86400
    host.present(acme)
    assert (host.issued, host.renewed()) == (2, ["portside-demo"])


def test_of_several_authorities_the_one_that_is_asked_now_renews(host):
    host.present(host.release("a", "one", dict(ACME, certificate="portside-demo-staging")))
    host.present(host.release("b", "two", ACME))
    assert host.renewed() == ["portside-demo"]


def test_a_certificate_that_a_failed_release_got_is_not_renewed_for_the_one_before(host):
    before = host.release("a", "one", services={"api": "d1"})
    host.present(before)
    up = host.up
    host.up = lambda _argv: (1, "", "no such image")
    with pytest.raises(ActivationFailed):
        host.present(host.release("b", "two", ACME, services={"api": "d2"}))
    assert host.renewed() == ["portside-demo"] and host.serves() == "one"
    host.up = up
    assert not host.present(before)["changed"]
    assert host.renewed() == []


def test_what_is_removed_as_it_was_never_whole_is_not_renewed(host):
    """The first release fails once it has its certificate: nobody answers challenges then."""
    release = host.release("a", "one", ACME)
    host.nginx.busy = "one"
    with pytest.raises(ActivationFailed, match="did not come to serve"):
        host.present(release)
    assert host.renewed() == ["portside-demo"]
    host.stack(release, check=True).absent()
    assert host.renewed() == ["portside-demo"]
    host.stack(release).absent()
    assert host.renewed() == [] and not host.edge.exists()
    host.nginx.busy = ""
    host.present(release)
    assert (host.issued, host.renewed(), host.serves()) == (1, ["portside-demo"], "one")
