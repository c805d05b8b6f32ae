# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack in Compose's own words: what its declaration says in others is written out.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._edge import with_aliases, with_edge
from ansible_collections.portside.stack.plugins.plugin_utils._edge_files import with_tunnel_config
from ansible_collections.portside.stack.plugins.plugin_utils._entry_wrapper import Facts, with_entry_wrapper


def explicit_stack(stack: model.Mapping, image_facts: Facts = None) -> model.Mapping:
    """The stack with its edge, the names of its services on shared networks, and its `secret_environment` written out."""
    return with_entry_wrapper(with_tunnel_config(with_aliases(with_edge(stack))), image_facts)
