# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter audit_report."""

from __future__ import annotations

DOCUMENTATION = r"""
name: audit_report
short_description: What an audit found on a host, worst first
version_added: 1.0.0
author:
  - The portside.stack contributors
description:
  - Judges what the modules of an audit read of a host, and writes it down for terminals, programs and browsers.
  - A host that declares nothing is judged by what usually listens at a port. Databases, caches, queues and administration are high,
    whatever else a container or process shows is medium, and the web, ssh, mail and VPNs are listed.
  - On a host of this collection what its releases and settings declare counts, and so do its waivers of C(docker_control).
options:
  _input:
    description:
      - C(host) and C(when), a name and a time.
      - C(exposure), what M(portside.stack.port_exposure_info) returned, and C(audit), what M(portside.stack.host_audit) did.
      - C(probe), what M(portside.stack.port_probe) returned. Without it nothing is known from outside, which the report says.
      - C(not_seen), further sentences on what was not seen.
    type: dict
    required: true
seealso:
  - plugin: portside.stack.audit_probe
    plugin_type: filter
  - plugin: portside.stack.audit_index
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Judge
  ansible.builtin.set_fact:
    judged: "{{ {'host': inventory_hostname, 'when': now(utc=true) | string, 'exposure': exposure, 'audit': audit} | portside.stack.audit_report }}"

- name: Show it
  ansible.builtin.debug:
    msg: "{{ judged.text.splitlines() }}"
"""

RETURN = r"""
_value:
  description: The report in four forms.
  type: dict
  contains:
    report:
      description:
        - C(host), C(when), C(engine), C(addresses); C(summary), the number of findings by severity.
        - C(findings) with C(severity) (V(high), V(medium), V(low)), C(rule), C(what), C(why), C(remedy) and C(subject), worst first.
        - C(reachable), all that is bound to more than loopback, with its C(rank); V(listed) is no finding.
        - C(routes), C(containers), C(waived), and C(not_seen) in sentences.
      type: dict
    text:
      description: For terminals, at most 100 columns.
      type: str
    json:
      description: RV(ignore:report) as JSON, with its keys in order.
      type: str
    html:
      description: A page without anything from elsewhere.
      type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._audit_report import audit_report
from ansible_collections.portside.stack.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """The filter, as Ansible finds it."""

    def filters(self):
        return {"audit_report": as_filter(audit_report, foreign=True)}
