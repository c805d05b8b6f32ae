# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters loaded once by the parent, as roles/stack/tasks/declaration.yml has it, against once in each worker: prints the ratio of the controller's time."""

from __future__ import annotations

import json
import pathlib
import resource
import statistics
import subprocess
import tempfile

TASKS = 10
ROUNDS = 5
FILTER = "[] | portside.stack.stack_merge"


def spent(playbook: pathlib.Path) -> float:
    """Processor time in seconds of a run and its workers."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["ansible-playbook", str(playbook)], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Runs both, alternately, and compares the medians less what a play without filters takes."""
    with tempfile.TemporaryDirectory() as directory:
        uses = f"({FILTER}) == []"
        asks = {"each worker": ("A task", uses), "the parent": (f"A task{{{{ {FILTER} | join }}}}", uses), "none": ("A task", "[] == []")}
        seconds: dict[str, list[float]] = {name: [] for name in asks}
        for name, (title, condition) in asks.items():
            tasks = [{"name": title, "ansible.builtin.assert": {"that": condition}}] * TASKS
            pathlib.Path(directory, name).write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        for _round in range(ROUNDS):
            for name in asks:
                seconds[name].append(spent(pathlib.Path(directory, name)))
    median = {name: statistics.median(values) for name, values in seconds.items()}
    ratio = (median["each worker"] - median["none"]) / (median["the parent"] - median["none"])
    print("filters in %d tasks: %.1f times the time without the parent (medians of %d: %s)"
          % (TASKS, ratio, ROUNDS, ", ".join("%s %.2f s" % item for item in median.items())))


if __name__ == "__main__":
    main()
