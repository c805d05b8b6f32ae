# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a module of the collection, and showing its progress while it works.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import copy
import shlex
import threading
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.portside.stack.plugins.module_utils._progress import STACK_NAME, progress_path

# A run without changes is over before the first look, and costs one remote execution.
_FIRST_LOOK = 3.0
_INTERVAL = 2.0


class ProgressReader:
    """Shows new lines of a growing text, each once."""

    def __init__(self, read: t.Callable[[], t.Optional[str]], show: t.Callable[[str], None]) -> None:
        self._read = read
        self._show = show
        self._shown = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProgressReader:
        self._thread.start()
        return self

    def __exit__(self, *_error: t.Any) -> None:
        self._over.set()
        self._thread.join()

    def show(self, lines: t.Sequence[str]) -> None:
        """Show what of all lines so far was not shown yet."""
        for line in lines[self._shown :]:
            self._show(line)
        self._shown = max(self._shown, len(lines))

    def _watch(self) -> None:
        wait = _FIRST_LOOK
        while not self._over.wait(wait):
            wait = _INTERVAL
            text = self._read()
            if text:
                # The last piece is empty, or a line that is still being written.
                self.show(text.split("\n")[:-1])


class LiveAction(ActionBase):
    """One remote execution, and a look at the progress every other second while it lasts.

    A subclass names its ``MODULE``, and, where that has no option ``directory``, whose progress to show.
    """

    MODULE = ""
    _supports_check_mode = True
    _supports_async = True

    def stack_name(self, arguments: t.Mapping[str, t.Any]) -> str:
        """The stack; empty where the arguments do not tell, which the module then refuses."""
        return directory_name(arguments.get("directory"))

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> t.Dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        del tmp
        stack = self.stack_name(self._task.args)
        if self._task.check_mode or self._task.async_val or not STACK_NAME.match(stack):
            result.update(self._execute(task_vars))
            return result
        host = (task_vars or {}).get("inventory_hostname", "")
        display = Display()
        reader = ProgressReader(self._remote_reader(stack), lambda line: display.display(f"[{host}] {stack} {line}"))
        with reader:
            outcome = self._execute(task_vars)
        reader.show(outcome.get("progress") or [])
        result.update(outcome)
        return result

    def _execute(self, task_vars: t.Any) -> t.Dict[str, t.Any]:
        return self._execute_module(
            module_name="portside.stack." + self.MODULE,
            task_vars=task_vars,
            wrap_async=self._task.async_val,
        )

    def _remote_reader(self, stack: str) -> t.Callable[[], t.Optional[str]]:
        # The task's connection is busy with the module. A copy has the same options, and keeps its own state of a call.
        connection = copy.copy(self._connection)
        connection.set_become_plugin(None)
        command = "cat " + shlex.quote(progress_path(stack))

        def read() -> t.Optional[str]:
            try:
                code, out, _err = connection.exec_command(command, sudoable=False)
            except (AnsibleError, OSError):
                return None
            return out.decode("utf-8", "replace") if code == 0 else None

        return read


def directory_name(path: t.Any) -> str:
    """The stack whose directory it is."""
    return str(path or "").rstrip("/").rpartition("/")[2]
