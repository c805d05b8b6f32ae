# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exposure tables of system 4, as its description has them: service, exposed to the internet, port of the host."""

from __future__ import annotations

DEVELOPMENT = """
api             Yes  8000
cms             Yes  8055
grafana         Yes  3001
cms-database    No   -
cache           No   -
vault           No   -
task-worker     No   -
task-scheduler  No   -
prometheus      No   -
loki            No   -
promtail        No   -
cadvisor        No   -
vault-setup     No   -
cms-setup       No   -
"""
PRODUCTION = DEVELOPMENT.replace("Yes  8000", "Yes_(via_caddy)  127.0.0.1:8000").replace("Yes  8055", "No  -").replace("Yes  3001", "No  -")
# By the host of the inventory.
TABLES = {"openmates-dev": DEVELOPMENT, "openmates": PRODUCTION}


def table_of(text: str) -> list[tuple[str, ...]]:
    """The rows of one of them."""
    return [tuple(cell.replace("_", " ") for cell in line.split()) for line in text.split("\n") if line]
