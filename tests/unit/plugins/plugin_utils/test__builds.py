# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._builds import image_reference, own_name, stack_builds
from ansible_collections.portside.stack.plugins.plugin_utils._compose_grammar import IMAGE, NAME, STACK_NAME
from hypothesis import given
from hypothesis import strategies as st


def test_the_builds_of_the_services_that_run():
    stack = {
        "name": "shop",
        "services": {
            "api": {"build": "../app"},
            "web": {"image": "shop/web:1", "platform": "linux/arm64", "build": {"context": "https://x/y#v1", "args": ["A=$$x", "B=1"]}},
            "job": {"build": {"context": "/srv", "dockerfile": "D", "target": "t", "args": {"N": 1}}},
            "off": {"build": "x", "profiles": ["off"]},
            "db": {"image": "postgres:17", "build": None},
        },
    }
    own = "portside.stack/build/shop-"
    assert stack_builds(stack) == [
        {"service": "api", "image": own + "api", "name": own + "api", "context": "../app", "args": {}},
        {
            "service": "web",
            "image": "shop/web:1",
            "name": own + "web",
            "context": "https://x/y#v1",
            "args": {"A": "$x", "B": "1"},
            "platform": "linux/arm64",
        },
        {"service": "job", "image": own + "job", "name": own + "job", "context": "/srv", "dockerfile": "D", "target": "t", "args": {"N": "1"}},
    ]


def test_what_a_service_is_called_before_anything_is_pinned():
    assert image_reference("shop", "api", {"image": "nginx"}) == "nginx"
    assert image_reference("shop", "api", {"build": "x"}) == "portside.stack/build/shop-api"
    assert image_reference("shop", "api", {"build": "x", "image": "a:1"}) == "a:1"


@given(st.from_regex(STACK_NAME, fullmatch=True), st.from_regex(NAME, fullmatch=True))
def test_every_service_has_a_name_that_an_image_may_have(stack, service):
    assert IMAGE.fullmatch(own_name(stack, service) + ":0123456789abcdef")


@pytest.mark.parametrize(("one", "other"), [("Api", "api"), ("a.", "a-"), ("a__b", "a___b")])
def test_names_that_images_do_not_tell_apart_stay_apart(one, other):
    assert own_name("shop", one) != own_name("shop", other)
