# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One config_files against a loop of copy, over 50 unchanged files, side by side: prints the ratio."""

from __future__ import annotations

import json
import pathlib
import statistics
import subprocess
import tempfile
import time

FILES = 50
ROUNDS = 3


def main() -> None:
    """Runs both, alternately, and compares the medians less what an empty play takes."""
    with tempfile.TemporaryDirectory() as directory:
        paths = ["%s/f%d" % (directory, number) for number in range(FILES)]
        plays = {
            "empty": [],
            "copy": [{"ansible.builtin.copy": {"content": "x", "dest": "{{ item }}", "mode": "0644"}, "loop": paths}],
            "config_files": [{"portside.stack.config_files": {"files": {path: {"content": "x"} for path in paths}}}],
        }
        seconds: dict[str, list[float]] = {name: [] for name in plays}
        for number in range(ROUNDS + 1):
            for name, tasks in plays.items():
                playbook = pathlib.Path(directory, name + ".yml")
                playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
                start = time.monotonic()
                subprocess.run(["ansible-playbook", str(playbook)], check=True, stdout=subprocess.DEVNULL)
                # The first round writes the files.
                if number:
                    seconds[name].append(time.monotonic() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    ratio = (median["copy"] - median["empty"]) / (median["config_files"] - median["empty"])
    print("50 unchanged files: config_files is %.0f times faster than a loop of copy (medians of %d: %s)"
          % (ratio, ROUNDS, ", ".join("%s %.2f s" % item for item in median.items())))


if __name__ == "__main__":
    main()
