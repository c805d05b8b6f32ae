# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd that come together, with the program that they start.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.module_utils._boot_unit import PROGRAM, UNITS, program
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem, put

_BOOTED = "/run/systemd/system"


class SystemdUnits:
    """Some units of a host.

    ``texts`` are theirs by name. ``wanted`` tells which of them are enabled, by which target; timers of those have to run as well.
    ``without`` says what it means that they are not there.
    """

    def __init__(self, fs: FileSystem, run: Run, root: str, texts: t.Mapping[str, str], wanted: t.Mapping[str, str], without: str) -> None:
        self._fs, self._run, self._root = fs, run, root
        self._texts, self._wanted, self._without = texts, wanted, without

    def possible(self) -> bool:
        """Whether systemd runs the host."""
        return bool(self._fs.lstat(self._root + _BOOTED))

    def missing(self) -> t.List[str]:
        """What is not as it is to be: paths, and timers that do not run."""
        found = [path for path, data in self._files().items() if self._read(path) != data]
        links = ["{0}/{1}.wants/{2}".format(UNITS, target, unit) for unit, target in self._wanted.items()]
        found += [link for link in links if not self._fs.lstat(self._root + link)]
        timers = [unit for unit in self._wanted if unit.endswith(".timer")]
        return found + [unit for unit in timers if self._run(["systemctl", "is-active", "--quiet", unit], None)[0]]

    def ensure(self) -> bool:
        """Have them there and at work; answers whether that is new."""
        missing = self.missing()
        for path, data in self._files().items():
            put(self._fs, self._root + path, data)
        if missing:
            self._systemctl("daemon-reload")
            self._systemctl("enable", "--now", *self._wanted)
        return bool(missing)

    def there(self) -> t.List[str]:
        """The paths of those that the host has; the program is not among them, as others have it too."""
        return [path for path in self._files() if path != PROGRAM and self._fs.lstat(self._root + path)]

    def remove(self) -> None:
        """Take them away."""
        there = self.there()
        if there:
            self._systemctl("disable", "--now", *reversed(list(self._wanted)))
            for path in there:
                self._fs.unlink(self._root + path)
            self._systemctl("daemon-reload")

    def _files(self) -> t.Dict[str, bytes]:
        found = {PROGRAM: program()}
        found.update({"{0}/{1}".format(UNITS, name): text.encode("utf-8") for name, text in self._texts.items()})
        return found

    def _read(self, path: str) -> t.Optional[bytes]:
        return self._fs.read(self._root + path) if self._fs.lstat(self._root + path) else None

    def _systemctl(self, *arguments: str) -> None:
        code, out, err = self._run(["systemctl", *arguments], None)
        if code:
            raise StackError(
                "systemctl {0} failed: {1}. {2} Remedy: mend that on the host, then run again.".format(" ".join(arguments), (err or out).strip(), self._without)
            )
