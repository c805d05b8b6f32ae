#!/usr/bin/python
# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_verdict
short_description: Report a verification, and end it so that its exit code tells the verdict
version_added: 1.0.0
author:
  - The portside.stack contributors (@portside)
description:
  - Judges from what other modules found whether a host is clean, drifted or broken, shows one report of it, the verdict first and every
    difference with its remedy, and ends. Does nothing on the host.
  - V(clean), the task is ok, and C(ansible-playbook) exits with 0. V(drifted), the task fails, exit code 2. V(broken), the result says
    C(unreachable), as if the host did not answer, since that is what C(ansible-playbook) exits with 4 for; nothing more is done on that host.
  - Of several hosts the worst decides, and a host that really does not answer is as bad as a broken one.
  - Broken is what affects users, and what nobody can tell. These are differences of M(portside.stack.stack_drift) that say so, checks that do not
    pass, and declared ports that nobody listens on or that are not reached from outside. Everything else is drifted, also what is
    reached and was not declared.
extends_documentation_fragment:
  - portside.stack.attributes
attributes:
  check_mode:
    support: full
    description: Changes nothing.
  diff_mode:
    support: N/A
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
options:
  drift:
    description: The result of M(portside.stack.stack_drift).
    type: dict
    required: true
  checks:
    description:
      - The results of M(portside.stack.health_check) with O(portside.stack.health_check#module:fail=false), one for each stack, which is
        their C(item).
    type: list
    elements: dict
    required: true
  exposure:
    description: The result of M(portside.stack.port_exposure_info).
    type: dict
    required: true
  probed:
    description: The result of M(portside.stack.port_probe).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Report, and end as it deserves
  portside.stack.stack_verdict:
    drift: "{{ drift }}"
    checks: "{{ checked.results }}"
    exposure: "{{ exposure }}"
    probed: "{{ probed }}"
"""

RETURN = r"""
verdict:
  description: The verdict. The report is shown, and not returned; programs take the results that it is made of.
  returned: always
  type: str
  choices: [clean, drifted, broken]
"""
# What it does is in plugins/action/stack_verdict.py.
