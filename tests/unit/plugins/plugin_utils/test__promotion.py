# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._promotion import exported_releases, promoted_images

PINS = {"app:1": "app:1@sha256:" + "1" * 64, "postgres:17": "postgres:17@sha256:" + "2" * 64}
INFO = {
    "stack": "shop",
    "current": "b" * 16,
    "releases": [
        {"id": "b" * 16, "declaration_digest": "d" * 16, "images": PINS},
        {"id": "a" * 16, "declaration_digest": "c" * 16, "images": {"app:0": "sha256:0"}},
    ],
}
EXPORT = exported_releases([INFO])
STACK = {"name": "shop", "services": {"api": {"image": "app:1"}, "db": {"image": "postgres:17"}}}


def test_what_runs_there_is_what_is_pinned_here():
    assert promoted_images(EXPORT, STACK) == PINS
    assert EXPORT["stacks"]["shop"]["release"] == "b" * 16
    assert EXPORT["stacks"]["shop"]["declaration_digest"] == "d" * 16


def test_without_an_export_nothing_is_pinned():
    assert promoted_images({}, STACK) == {}


def test_a_stack_that_was_never_deployed_is_not_exported():
    with pytest.raises(StackError, match="stack 'shop'.*status.yml -e export=FILE"):
        promoted_images(exported_releases([dict(INFO, current="")]), STACK)


def test_every_image_that_was_not_tried_there_is_named():
    services = {"api": {"image": "app:2"}, "db": {"image": "postgres:18"}, "off": {"image": "x", "profiles": ["no"]}}
    with pytest.raises(StackError) as refusal:
        promoted_images(EXPORT, dict(STACK, services=services))
    first, second = str(refusal.value).splitlines()
    assert "service 'api'" in first and "app:2" in first and "app:1, postgres:17" in first
    assert "service 'db'" in second and "postgres:18" in second


def test_what_is_built_here_is_not_what_ran_there():
    with pytest.raises(StackError, match="service 'api', key 'build'"):
        promoted_images(EXPORT, dict(STACK, services={"api": {"image": "app:1", "build": "./app"}}))


def test_an_image_named_by_its_digest_needs_no_export():
    pinned = {"image": "other@sha256:" + "3" * 64}
    assert promoted_images(EXPORT, dict(STACK, services={"api": pinned})) == PINS


def test_an_export_of_another_stack_or_another_file_is_refused():
    with pytest.raises(StackError, match="has no release of it, it has shop"):
        promoted_images(EXPORT, dict(STACK, name="blog"))
    for other in ({"a": 1}, [1], {"format": 2, "stacks": {"shop": {}}}):
        with pytest.raises(StackError, match="no export of releases"):
            promoted_images(other, STACK)
