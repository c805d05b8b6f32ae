# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of the host's stacks: systemd has each brought to its current release after every start of the engine, and healed.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

The host has no Ansible. So the code that a deploy brings a stack up with is put there as one file that Python runs.
"""

from __future__ import annotations

import io
import os
import re
import sys
import typing as t
import zipfile

from ansible_collections.portside.stack.plugins.module_utils import _boot_main
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, put
from ansible_collections.portside.stack.plugins.module_utils._heal_report import STATE
from ansible_collections.portside.stack.plugins.module_utils._sources import sources as sources_of

PROGRAM = "/usr/local/lib/portside/portside.pyz"
UNITS = "/etc/systemd/system"
# Only where systemd is the init of the host.
_BOOTED = "/run/systemd/system"
_START = "import sys\n\nfrom {0} import main\n\nsys.exit(main(sys.argv[1:]))\n"
# Wanted by the engine and not by a target: so it runs too when the engine is started again, by a person or after a crash.
_UNIT = """\
[Unit]
Description=Bring the stack in %f to its current release
After=docker.service
ConditionPathExists=%f/current

[Service]
Type=oneshot
ExecStart={python} -I {program} reconcile %f
SyslogIdentifier=portside

[Install]
WantedBy=docker.service
"""
# Started by certbot's hook, not at boot: certbot must not wait for a run that may wait for certbot.
_RENEWED = """\
[Unit]
Description=Have the edge of the stack in %f serve its renewed certificate
After=docker.service
ConditionPathExists=%f/current

[Service]
Type=oneshot
ExecStart={python} -I {program} renewed %f
SyslogIdentifier=portside
"""
# One for all stacks. A deploy that renews the program need not restart it: it ends by itself then, to be started anew.
_HEAL = """\
[Unit]
Description=Restart the containers of stacks that became unhealthy
After=docker.service

[Service]
Type=simple
ExecStart={python} -I {program} heal "{root}"
Restart=always
RestartSec=5
TimeoutStopSec=20
SyslogIdentifier=portside

[Install]
WantedBy=multi-user.target
"""
HEAL = "portside-heal.service"


def sources() -> t.Dict[str, str]:
    """The text of each module that the program needs, by its name."""
    return sources_of(_boot_main.__name__)


def program() -> bytes:
    """The file that Python runs, the same bytes for the same sources."""
    files = {"__main__.py": _START.format(_boot_main.__name__)}
    for name, text in sources().items():
        path = name.replace(".", "/")
        files[path + ".py"] = text
        while "/" in path:
            path = path.rpartition("/")[0]
            files[path + "/__init__.py"] = ""
    archive = io.BytesIO()
    # Stored, as what compression makes of it differs between versions of zlib.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path, text in sorted(files.items()):
            packed.writestr(zipfile.ZipInfo(path), text.encode("utf-8"))
    return archive.getvalue()


def unit_name(directory: str) -> str:
    """The unit of the stack in a directory, escaped as systemd-escape --path does."""
    path = "/".join(filter(None, directory.split("/")))
    escaped = re.sub(rb"[^A-Za-z0-9:_./]|^\.", lambda one: b"\\x%02x" % ord(one.group()), path.encode("utf-8"))
    return "portside@{0}.service".format(escaped.decode("ascii").replace("/", "-"))


def _units(directory: str) -> t.Dict[str, bytes]:
    """The units of a host that has a stack in a directory, by name."""
    units = (("portside@.service", _UNIT), ("portside-renewed@.service", _RENEWED), (HEAL, _HEAL))
    filled = {"python": sys.executable, "program": PROGRAM, "root": os.path.dirname(directory.rstrip("/")).replace("%", "%%")}
    return {name: text.format(**filled).encode("utf-8") for name, text in units}


class BootUnit:
    """The units of a host. Does nothing where systemd does not run it."""

    def __init__(self, fs: FileSystem, run: Run, root: str = "") -> None:
        self._fs, self._run, self._root = fs, run, root

    def ensure(self, directory: str) -> bool:
        """Have the stack in a directory brought up after every start of the engine, and healed; answers whether that is new."""
        if not self._fs.lstat(self._root + _BOOTED):
            return False
        renewed = self._put(PROGRAM, program())
        new = [name for name, text in _units(directory).items() if self._put("{0}/{1}".format(UNITS, name), text)]
        if new:
            renewed = True
            self._systemctl("daemon-reload")
        if not self.enabled(directory):
            renewed = True
            self._systemctl("enable", unit_name(directory))
        return self._ensure_healing(HEAL in new) or renewed

    def lacks(self, directory: str) -> t.List[str]:
        """What is not as it is ensured: paths, and the service that does not run."""
        if not self._fs.lstat(self._root + _BOOTED):
            return []
        files = {PROGRAM: program(), **{"{0}/{1}".format(UNITS, name): text for name, text in _units(directory).items()}}
        found = [path for path, data in files.items() if not self._fs.lstat(self._root + path) or self._fs.read(self._root + path) != data]
        if not self.enabled(directory):
            found.append("{0}/docker.service.wants/{1}".format(UNITS, unit_name(directory)))
        return found + ([] if self._heals() else [HEAL])

    def enabled(self, directory: str) -> bool:
        """Whether the stack in a directory is brought up after a start of the engine."""
        return bool(self._fs.lstat("{0}{1}/docker.service.wants/{2}".format(self._root, UNITS, unit_name(directory))))

    def disable(self, directory: str) -> None:
        """Have it not brought up any more; with the last stack of the host, the healing goes too."""
        if self.enabled(directory):
            self._systemctl("disable", unit_name(directory))
        wants = "{0}{1}/docker.service.wants".format(self._root, UNITS)
        others = self._fs.listdir(wants) if self._fs.lstat(wants) else []
        heal = "{0}{1}/{2}".format(self._root, UNITS, HEAL)
        if self._fs.lstat(heal) and not [name for name in others if name.startswith("portside@")]:
            self._systemctl("disable", "--now", HEAL)
            self._fs.unlink(heal)
            self._systemctl("daemon-reload")
            if self._fs.lstat(self._root + STATE):
                self._fs.unlink(self._root + STATE)

    def _ensure_healing(self, new: bool) -> bool:
        if not new and self._heals():
            return False
        self._systemctl("enable", HEAL)
        self._systemctl("restart", HEAL)
        return True

    def _heals(self) -> bool:
        wanted = self._fs.lstat("{0}{1}/multi-user.target.wants/{2}".format(self._root, UNITS, HEAL))
        told = set(self._run(["systemctl", "show", "--property=ActiveState", "--property=Result", HEAL], None)[1].split()) if wanted else set()
        # It may just have ended for its new program.
        return "ActiveState=active" in told or told == {"ActiveState=activating", "Result=success"}

    def _put(self, path: str, data: bytes) -> bool:
        return put(self._fs, self._root + path, data)

    def _systemctl(self, *arguments: str) -> None:
        code, out, err = self._run(["systemctl", *arguments], None)
        if code:
            raise StackError(
                "systemctl {0} failed: {1}. Without it, what a start of the host brings up is not what is deployed. "
                "Remedy: mend that on the host, then run again.".format(" ".join(arguments), (err or out).strip())
            )
