# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import zipfile

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _boot_main, _boot_unit, _sources
from ansible_collections.portside.stack.plugins.module_utils._boot_unit import BootUnit, program, sources, unit_name
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

WANTS = "etc/systemd/system/docker.service.wants"
NAME = "portside@opt-stacks-demo.service"
HEAL = "portside-heal.service"
HEAL_WANTS = "etc/systemd/system/multi-user.target.wants/" + HEAL


class Systemd:
    """A host's files, and systemctl as far as it changes them."""

    def __init__(self, root):
        self.root, self.calls, self.code = root, [], 0
        (root / "run/systemd/system").mkdir(parents=True)
        (root / WANTS).mkdir(parents=True)
        (root / HEAL_WANTS).parent.mkdir()
        self.heals = False

    def run(self, argv, _data):
        if argv[1] == "show":
            return 0, "Result=success\nActiveState={0}\n".format("active" if self.heals is True else self.heals or "inactive"), ""
        self.calls.append(argv[1:])
        link = self.root / HEAL_WANTS if argv[-1] == HEAL else self.root / WANTS / argv[-1]
        if not self.code and argv[1] == "enable" and not link.is_symlink():
            link.symlink_to("/etc/systemd/system/" + argv[-1])
        if not self.code and argv[1] == "disable":
            link.unlink()
        self.heals = self.heals and "--now" not in argv or argv[1:] == ["restart", HEAL]
        return self.code, "", "Failed to connect to bus\n" if self.code else ""

    def unit(self):
        return BootUnit(FileSystem(), self.run, str(self.root))


USAGE = "usage: portside.pyz reconcile|renewed DIRECTORY, portside.pyz heal|metrics STACK_ROOT, or portside.pyz firewall|exposure\n"


@pytest.fixture
def host(tmp_path):
    return Systemd(tmp_path)


def test_what_is_missing_is_put_there_once(host):
    assert host.unit().ensure("/opt/stacks/demo")
    assert host.calls == [["daemon-reload"], ["enable", NAME], ["enable", HEAL], ["restart", HEAL]]
    pyz = host.root / "usr/local/lib/portside/portside.pyz"
    assert pyz.read_bytes() == program()
    unit = host.root / "etc/systemd/system/portside@.service"
    assert "ExecStart={0} -I /usr/local/lib/portside/portside.pyz reconcile %f\n".format(sys.executable) in unit.read_text()
    renewed = host.root / "etc/systemd/system/portside-renewed@.service"
    assert "ExecStart={0} -I /usr/local/lib/portside/portside.pyz renewed %f\n".format(sys.executable) in renewed.read_text()
    assert "[Install]" not in renewed.read_text()
    assert [path.stat().st_mode & 0o777 for path in (pyz, unit, renewed)] == [0o644] * 3
    heal = host.root / "etc/systemd/system" / HEAL
    assert 'ExecStart={0} -I /usr/local/lib/portside/portside.pyz heal "/opt/stacks"\nRestart=always\n'.format(sys.executable) in heal.read_text()
    host.calls.clear()
    assert not host.unit().ensure("/opt/stacks/demo")
    assert host.unit().ensure("/opt/stacks/blog")
    assert host.calls == [["enable", "portside@opt-stacks-blog.service"]]


def test_what_differs_is_renewed(host):
    host.unit().ensure("/opt/stacks/demo")
    host.calls.clear()
    pyz = host.root / "usr/local/lib/portside/portside.pyz"
    pyz.write_bytes(b"older")
    # As after a kill in the middle of the writing.
    pyz.with_name("portside.pyz.new").write_bytes(b"half")
    assert host.unit().ensure("/opt/stacks/demo")
    assert (pyz.read_bytes(), os.listdir(pyz.parent), host.calls) == (program(), ["portside.pyz"], [])
    (host.root / "etc/systemd/system/portside@.service").write_text("older")
    assert host.unit().ensure("/opt/stacks/demo")
    assert host.calls == [["daemon-reload"]]
    host.calls.clear()
    (host.root / "etc/systemd/system/portside-renewed@.service").unlink()
    assert host.unit().ensure("/opt/stacks/demo")
    assert host.calls == [["daemon-reload"]]


def test_it_is_taken_back_once(host):
    host.unit().ensure("/opt/stacks/demo")
    host.calls.clear()
    assert host.unit().enabled("/opt/stacks/demo")
    host.unit().disable("/opt/stacks/demo")
    assert not host.unit().enabled("/opt/stacks/demo")
    host.unit().disable("/opt/stacks/demo")
    assert host.calls == [["disable", NAME], ["disable", "--now", HEAL], ["daemon-reload"]]


def test_the_healing_is_there_and_runs_for_as_long_as_there_is_a_stack(host):
    host.unit().ensure("/opt/stacks/demo")
    host.unit().ensure("/opt/stacks/blog")
    for undo in (lambda: setattr(host, "heals", False), (host.root / HEAL_WANTS).unlink, (host.root / "etc/systemd/system" / HEAL).unlink):
        undo()
        assert host.unit().ensure("/opt/stacks/demo")
        assert host.calls[-2:] == [["enable", HEAL], ["restart", HEAL]]
        assert not host.unit().ensure("/opt/stacks/demo")
    # The one that runs ends by itself when its program is renewed, and is started again a moment later.
    host.heals = "activating"
    (host.root / "usr/local/lib/portside/portside.pyz").write_bytes(b"older")
    host.calls.clear()
    assert host.unit().lacks("/opt/stacks/demo") == ["/usr/local/lib/portside/portside.pyz"]
    assert (host.unit().ensure("/opt/stacks/demo"), host.calls, host.unit().lacks("/opt/stacks/demo")) == (True, [], [])
    state = host.root / "run/portside/heal.json"
    state.parent.mkdir()
    state.write_text("{}")
    host.unit().disable("/opt/stacks/demo")
    assert host.heals and state.exists()
    host.unit().disable("/opt/stacks/blog")
    assert host.calls[-2:] == [["disable", "--now", HEAL], ["daemon-reload"]]
    assert not host.heals and not state.exists()
    assert not (host.root / "etc/systemd/system" / HEAL).exists()
    host.calls.clear()
    host.unit().disable("/opt/stacks/blog")
    assert host.calls == []


def test_without_systemd_nothing_is_done(tmp_path):
    unit = BootUnit(FileSystem(), lambda *_arguments: pytest.fail("ran something"), str(tmp_path))
    assert not unit.ensure("/opt/stacks/demo")
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_of_systemd_is_told(host):
    host.code = 1
    with pytest.raises(StackError, match="systemctl daemon-reload failed: Failed to connect to bus. .*Remedy"):
        host.unit().ensure("/opt/stacks/demo")


@pytest.mark.parametrize(
    "directory, name",
    [
        ("/opt/stacks/demo", "opt-stacks-demo"),
        ("/opt/stacks//my-app/", r"opt-stacks-my\x2dapp"),
        ("/srv/a_b.c:d", "srv-a_b.c:d"),
        ("/.x/.ä b", r"\x2ex-.\xc3\xa4\x20b"),
    ],
)
def test_names_are_as_systemd_escapes_them(directory, name):
    assert unit_name(directory) == "portside@{0}.service".format(name)


def python(*arguments):
    return subprocess.run([sys.executable, "-I", *arguments], capture_output=True, check=False)


def test_the_program_has_all_it_needs_and_only_that(tmp_path):
    pyz = tmp_path / "portside.pyz"
    pyz.write_bytes(program())
    done = python(str(pyz))
    assert (done.returncode, done.stderr.decode()) == (2, USAGE)
    names = {name.rpartition("/")[2] for name in zipfile.ZipFile(pyz).namelist()}
    assert {"_reconcile.py", "_compose_stack.py", "_lease.py", "_exposure_network_rules.py", "__main__.py"} < names
    assert "_boot_unit.py" not in names


def test_imports_inside_of_functions_would_be_found_too():
    # The sources are searched for imports at the beginning of a line; there must be no others.
    for name, text in sources().items():
        assert "    from ansible_collections" not in text, name
        assert "ansible.module_utils" not in text, name


def test_it_is_the_same_from_the_archive_that_ansible_sends(tmp_path):
    archive = tmp_path / "payload.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in {*sources(), _boot_unit.__name__, _sources.__name__}:
            path = name.replace(".", "/")
            module = importlib.import_module(name)
            packed.write(module.__file__, path + ".py")
        while "/" in path:
            path = path.rpartition("/")[0]
            packed.writestr(path + "/__init__.py", "")
    code = "import sys; sys.path.insert(0, {0!r}); import {1} as b; sys.stdout.buffer.write(b.program())"
    done = python("-c", code.format(str(archive), _boot_unit.__name__))
    assert (done.stderr, done.stdout == program()) == (b"", True)


@pytest.mark.parametrize("command, work", [("reconcile", "reconcile"), ("renewed", "serve_renewed")])
@pytest.mark.parametrize("error", [StackError("stack demo: no"), OSError(28, "No space left on device", "/x")])
def test_the_program_tells_an_error_and_fails(monkeypatch, capsys, error, command, work):
    def failing(*_arguments):
        raise error

    monkeypatch.setattr(_boot_main, work, failing)
    assert _boot_main.main([command, "/opt/stacks/demo"]) == 1
    assert str(error) in capsys.readouterr().err
    monkeypatch.setattr(_boot_main, work, lambda store, lock, *_arguments: print(store.directory, lock.stack))
    assert _boot_main.main([command, "/opt/stacks/demo/"]) == 0
    assert capsys.readouterr().out == "/opt/stacks/demo demo\n"


@pytest.fixture
def rules_that_wait(monkeypatch):
    """Whether rules of the firewall wait to be confirmed."""
    waiting = []
    monkeypatch.setattr(_boot_main.Firewall, "pending", lambda _firewall: waiting or None)
    return waiting


def test_the_program_tells_what_is_reachable_once_the_rules_are_confirmed(monkeypatch, capsys, rules_that_wait):
    monkeypatch.setattr(_boot_main, "report", lambda watch: watch.tell("{0}: {1}".format(watch.host, watch.look())))
    monkeypatch.setattr(_boot_main, "_see", lambda: "seen")
    monkeypatch.setattr(_boot_main.socket, "gethostname", lambda: "web1")
    assert (_boot_main.main(["exposure"]), capsys.readouterr().out) == (0, "web1: seen\n")
    rules_that_wait.append("some")
    assert (_boot_main.main(["exposure"]), capsys.readouterr().out) == (0, "")


def test_the_program_sees_as_the_module_does(monkeypatch, tmp_path):
    settings = _boot_main.read_settings(FileSystem(), str(tmp_path))._replace(stack_root=str(tmp_path))
    monkeypatch.setattr(_boot_main, "read_settings", lambda _fs: settings)
    monkeypatch.setattr(_boot_main, "EngineClient", lambda timeout: EngineClient(str(tmp_path / "x.sock"), timeout))
    with socket.create_server(("0.0.0.0", 0)) as own:
        seen, port = _boot_main._see(), own.getsockname()[1]
    assert not seen.engine
    assert [one["rule"] for one in seen.violations if (one["endpoint"] or {}).get("port") == port] == ["undeclared_listener"]


def test_the_program_heals_until_it_is_another_one_or_is_told_to_end(monkeypatch, tmp_path):
    own, answers, handled = tmp_path / "portside.pyz", [], signal.getsignal(signal.SIGTERM)
    own.write_text("x")
    monkeypatch.setattr(sys, "argv", [str(own)])

    def healing(_healer, outbox, _engine_of, _events_of, _clock, _tell, renewed):
        answers.append(renewed())
        (tmp_path / "new").write_text("x")
        (tmp_path / "new").rename(own)
        answers.append(renewed())
        outbox.add({})
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(_boot_main, "heal", healing)
    try:
        with pytest.raises(SystemExit) as ended:
            _boot_main.main(["heal", str(tmp_path)])
    finally:
        signal.signal(signal.SIGTERM, handled)
    assert (answers, ended.value.code) == ([False, True], 0)


def test_a_program_that_the_host_does_not_have_is_no_error():
    assert _boot_main._run_if_there(["no-such-program"], None) == (127, "", "there is no program no-such-program")


def test_the_program_runs_commands_with_nothing_that_chooses_another_engine(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere")
    monkeypatch.setenv("COMPOSE_FILE", "other.yaml")
    code, out, err = _boot_main._run(["sh", "-c", "cat; env; echo no >&2; exit 3"], "given\n")
    assert (code, err) == (3, "no\n")
    assert out.startswith("given\n")
    assert "DOCKER_HOST=unix:///var/run/docker.sock" in out
    assert "COMPOSE_FILE" not in out
