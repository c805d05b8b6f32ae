# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._secret_schema import SECRET_NAME_RE, parse


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "-x", "a/b", "a b", "a\n", "ä", "a" * 65])
def test_names_that_are_no_file_names_are_refused(name):
    assert not SECRET_NAME_RE.fullmatch(name)
    with pytest.raises(StackError, match="a name is made of"):
        parse({name: {"generate": 32}})


# ---- the declaration


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, "secret 'pw': has no value: give it one"),
        (None, "secret 'pw': has no value"),
        ("hunter2hunter2", "secret 'pw': must be a mapping of files, generate, login, template"),
        ({"generate": 15}, "secret 'pw': generate 15: must be a length from 16"),
        ({"generate": True}, "secret 'pw': generate True"),
        ({"generate": "64"}, "secret 'pw': generate '64'"),
        ({"generate": 64, "value": "x"}, "secret 'pw': unknown key 'value'"),
        ({"generate": 64, "files": {"uid": 1}}, "secret 'pw': files must be a list"),
        ({"generate": 64, "files": ["x"]}, "secret 'pw': each entry of files is a mapping"),
        ({"generate": 64, "files": [{"user": 1}]}, "secret 'pw': each entry of files is a mapping"),
        ({"generate": 64, "files": [{"uid": "postgres"}]}, "secret 'pw': uid 'postgres' is not a number"),
        ({"generate": 64, "files": [{"gid": -1}]}, "secret 'pw': gid -1 is not a number"),
        ({"generate": 64, "files": [{"mode": 256}]}, "secret 'pw': mode 256 is not an octal string"),
        ({"generate": 64, "files": [{"mode": "0444"}]}, "secret 'pw': mode 0444 lets everybody"),
        ({"generate": 64, "files": [{"variable": "A-B"}]}, "secret 'pw': variable 'A-B' is not a name"),
        ({"generate": 64, "files": [{"variable": "../A"}]}, "secret 'pw': variable '../A' is not a name"),
        ({"generate": 64, "login": "shop"}, "secret 'pw': login must be a mapping"),
        ({"generate": 64, "login": {"service": "db"}}, "secret 'pw': login must be a mapping"),
        ({"generate": 64, "login": {"role": "Shop"}}, "secret 'pw': login must be a mapping"),
        ({"generate": 64, "login": {"role": "a" * 42}}, "secret 'pw': login must be a mapping"),
        ({"generate": 64, "login": {"role": "a", "password": "hunter2"}}, "secret 'pw': login must be a mapping"),
        ({"template": "{other}"}, "secret 'pw': template: {other}: 'other' is no declared secret"),
        ({"template": "{pw}"}, "secret 'pw': template: {pw}: 'pw' is a template itself"),
        ({"template": "none"}, "secret 'pw': template: it names no secret"),
        ({"template": "{x}", "generate": 64}, "secret 'pw': has a template and generate"),
        ({"template": "{x}", "login": {"role": "a"}}, "secret 'pw': has a template and login"),
    ],
)
def test_wrong_declarations_are_refused(entry, expected):
    with pytest.raises(StackError) as caught:
        parse({"pw": entry})
    assert expected in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_all_problems_are_told_at_once_and_no_value_is():
    values = {"extra": "hunter2a", "number": 271828, "empty": "", "short": "7", "odd": "hunter2\ud800"}
    with pytest.raises(StackError) as caught:
        parse({"none": {}, "no": {}, "number": {}, "empty": {}, "short": {}, "odd": {}}, values)
    text = str(caught.value)
    assert "extra" not in text
    for expected in (
        "'none': has no value",
        "'no': has no value",
        "'number': its value is not text but int",
        "'empty': its value is empty",
        "'short': its value is too short",
        "'odd': its value is not valid Unicode",
    ):
        assert "secret " + expected in text
    assert len(text.splitlines()) == 6
    assert "hunter2" not in text and "271828" not in text


def test_a_template_has_no_value_of_its_own():
    with pytest.raises(StackError, match="secret 'url': has a template and a value: keep one") as caught:
        parse({"url": {"template": "{pw}"}, "pw": {}}, {"url": "hunter2", "pw": "hunter3"})
    assert "hunter" not in str(caught.value)


def test_only_generated_secrets_can_be_rotated():
    secrets = {"made": {"generate": 16}, "given": {"generate": 16}, "bare": {}, "url": {"template": "{made}"}}
    values = {"given": "hunter2", "bare": "hunter3"}
    assert [one.name for one in parse(secrets, values, ["made"]) if one.rotate] == ["made"]
    with pytest.raises(StackError) as caught:
        parse(secrets, values, ["given", "bare", "url", "nobody"])
    text = str(caught.value)
    for name in ("given", "bare"):
        assert "secret '%s': cannot be rotated: its value is given: change its value in stack_secrets" % name in text
    assert "secret 'url': cannot be rotated: it is composed from others: rotate those" in text
    assert "secret 'nobody': cannot be rotated: no service uses a secret of this name; to choose from: made" in text
    assert len(text.splitlines()) == 4 and "hunter" not in text
