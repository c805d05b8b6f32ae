# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.action import compose_stack, database_restore, release_step

HERE = "/opt/stacks/shop"


@pytest.mark.parametrize(
    ("plugin", "arguments"),
    [
        (compose_stack, {"definition": {"name": "shop"}, "project_directory": "/srv/elsewhere"}),
        (compose_stack, {"release": "0123456789abcdef", "project_directory": HERE + "/"}),
        (release_step, {"directory": HERE}),
        (database_restore, {"directory": HERE + "/"}),
    ],
)
def test_the_progress_shown_is_that_of_the_stack_in_the_arguments(plugin, arguments):
    assert plugin.ActionModule.__new__(plugin.ActionModule).stack_name(arguments) == "shop"


@pytest.mark.parametrize("plugin", [compose_stack, release_step, database_restore])
def test_arguments_that_tell_no_stack_are_left_to_the_module(plugin):
    assert plugin.ActionModule.__new__(plugin.ActionModule).stack_name({}) == ""


@pytest.mark.parametrize("plugin", [compose_stack, release_step, database_restore])
def test_each_plugin_runs_the_module_of_its_name(plugin):
    assert plugin.__name__.rpartition(".")[2] == plugin.ActionModule.MODULE
