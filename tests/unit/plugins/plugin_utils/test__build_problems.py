# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from declarations import ANYTHING
from hypothesis import given
from hypothesis import strategies as st


def problems(*services):
    return stack_problems([{"name": "shop", "services": {"s{0}".format(number): one for number, one in enumerate(services)}}])


@pytest.mark.parametrize(
    "build",
    [
        "../app",
        "./app",
        "/srv/app",
        "https://git.test/a/b.git#main:docker",
        "git@git.test:a/b.git",
        "ssh://git@git.test:22/a#v1.0",
        "file:///srv/repository#" + "a" * 40,
        {"context": "../app", "dockerfile": "docker/api", "target": "run", "args": {"A": 1, "B": "x", "EMPTY_TOKEN": ""}},
        {"context": "../app", "args": ["A=1", "SECRET_KEY_BASE_DUMMY=1"], "target": None},
    ],
)
@pytest.mark.parametrize("image", [{}, {"image": "shop/api:dev"}])
def test_what_is_carried_out(build, image):
    assert problems({"build": build, **image}) == []


BAD = {
    "a number": (7, ["key 'build'", "value 7", "{context: ...}"]),
    "no context": ({"target": "x"}, ["key 'build.context'", "missing"]),
    "context a number": ({"context": 7}, ["key 'build.context'", "not text"]),
    "the inventory itself": ("./x/..", ["key 'build.context'", "secrets"]),
    "a home": ("~/app", ["home"]),
    "no path at all": ("", ["no place"]),
    "an unknown scheme": ("ftp://x/y", ["no place"]),
    "an image name": ("github.com/a/b", ["write https://github.com/a/b"]),
    "a token in the URL": ("https://abcdef@git.test/a", ["password or token", "credential helper"]),
    "a password in the URL": ("ssh://a:b@git.test/a", ["password or token"]),
    "a broken URL": ("https://[git.test/a", ["no URL"]),
    "a ref that is an option": ("https://git.test/a#--upload-pack=x", ["branch, tag or commit"]),
    "a directory outside": ("https://git.test/a#main:../x", ["not in the repository"]),
    "a Dockerfile outside": ({"context": "x", "dockerfile": "../D"}, ["key 'build.dockerfile'", "not in the context"]),
    "a Dockerfile of the host": ({"context": "x", "dockerfile": "/D"}, ["key 'build.dockerfile'"]),
    "another key of Compose": ({"context": "x", "cache_from": []}, ["key 'build.cache_from'", "context, dockerfile, args, target"]),
    "a misspelt key": ({"context": "x", "targt": "y"}, ["did you mean 'target'"]),
    "arguments a text": ({"context": "x", "args": "A=1"}, ["key 'build.args'", "mapping"]),
    "an argument of the environment": ({"context": "x", "args": ["A"]}, ["key 'build.args.A'", "environment"]),
    "an argument without value": ({"context": "x", "args": {"A": None}}, ["key 'build.args.A'", "environment"]),
    "a boolean argument": ({"context": "x", "args": {"A": True}}, ["key 'build.args.A'", "quote"]),
    "an argument that is no text": ({"context": "x", "args": [1]}, ["key 'build.args'", "not text"]),
    "an argument with a bad name": ({"context": "x", "args": {"A-B": "1"}}, ["'A-B'", "not the name"]),
    "a token": ({"context": "x", "args": {"NPM_TOKEN": "abc"}}, ["key 'build.args.NPM_TOKEN'", "history", "`secrets`"]),
    "a password": ({"context": "x", "args": {"password": "abc"}}, ["history"]),
    "a variable": ("../$APP", ["$APP"]),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_refused(case):
    build, words = BAD[case]
    (problem,) = problems({"build": build})
    assert "stack 'shop', service 's0'" in problem
    assert [word for word in words if word not in problem] == []
    assert "abc" not in problem


def test_an_image_that_is_built_has_no_digest_yet():
    (problem,) = problems({"build": "x", "image": "a@sha256:" + "0" * 64})
    assert "key 'image'" in problem


def test_one_name_is_one_build():
    assert problems({"build": "x", "image": "a"}, {"build": {"context": "x"}, "image": "a"}, {"image": "a"}) == []
    (problem,) = problems({"build": "x", "image": "a"}, {"build": "y", "image": "a"})
    assert "service 's1', key 'image'" in problem and "'s0'" in problem


@given(st.one_of(ANYTHING, st.dictionaries(st.sampled_from(["context", "args", "dockerfile", "target", 1]), ANYTHING)))
def test_anything_is_judged(build):
    problems({"build": build, "image": "a"}, {"build": "x", "image": "a"})
