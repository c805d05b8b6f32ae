# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials file of the docker command."""

from __future__ import annotations

DOCUMENTATION = r"""
name: registry_auths
short_description: The credentials file of the docker command
version_added: 1.0.0
description:
  - Renders the text of C(~/.docker/config.json) from a list of registry accounts.
  - The result holds the passwords in a readable encoding, so hand it to options that Ansible masks only.
positional: _input
options:
  _input:
    description: The accounts, each with C(host), C(username) and C(password). The host C(docker.io) is Docker Hub.
    type: list
    elements: dict
    required: true
author:
  - the portside.stack contributors (@portside)
"""

EXAMPLES = r"""
- name: Log root in
  portside.stack.config_files:
    files:
      /root/.docker/config.json: {mode: "0600"}
    secret_contents:
      /root/.docker/config.json: "{{ docker_registries | portside.stack.registry_auths }}"
"""

RETURN = r"""
_value:
  description: The text of the file.
  type: str
"""

from ansible_collections.portside.stack.plugins.plugin_utils._registry_auths import registry_auths


class FilterModule:
    def filters(self):
        return {"registry_auths": registry_auths}
