# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from ansible_collections.portside.stack.plugins.module_utils import _redact
from ansible_collections.portside.stack.plugins.module_utils._redact import redactor, replacing
from hypothesis import example, given
from hypothesis import strategies as st

# No letter of what stands in the place of a secret.
WORD = st.text("XYZW'\"%$ /+\\ü", min_size=6, max_size=12).filter(lambda value: len(value.strip()) >= 6)


def store(tmp_path, **values):
    for name, versions in values.items():
        (tmp_path / name).mkdir()
        for number, value in enumerate(versions, start=1):
            (tmp_path / name / str(number)).write_bytes(value.encode("utf-8"))
            (tmp_path / name / "{0}-9-0-0400.KEY.env".format(number)).write_text("copy of " + value)
    return redactor(str(tmp_path))


def test_every_version_of_every_secret_is_replaced_by_its_name(tmp_path):
    redact = store(tmp_path, pw=["hunter2", "hunter3\n"], key=["correct horse"])
    assert redact("login hunter2, then hunter3; correct horse!") == "login [secret pw], then [secret pw]; [secret key]!"
    assert redact("nothing") == "nothing" and redact("") == ""


def test_encoded_forms_are_replaced_too(tmp_path):
    value = 'a "b"/ü\\c'
    redact = store(tmp_path, pw=[value])
    for form in (value, quote(value, safe=""), json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        assert redact("<%s>" % form) == "<[secret pw]>"
    assert redact("URL=postgresql://u:%s@db/x" % quote(value, safe="")) == "URL=postgresql://u:[secret pw]@db/x"


def test_the_whole_goes_before_its_parts(tmp_path):
    redact = store(tmp_path, pw=["hunter2"], url=["redis://:hunter2@redis"])
    assert redact("redis://:hunter2@redis hunter2") == "[secret url] [secret pw]"


def test_what_overlaps_goes_together():
    assert replacing([("a", "abcdef"), ("b", "defghijk")])("<abcdefghijk>") == "<[secret b]>"


def test_lines_of_a_key_are_replaced_and_short_ones_stay(tmp_path):
    redact = store(tmp_path, pem=["-----BEGIN KEY-----\r\nMIIBVwIBADANBgkq\nshort\n"])
    assert redact("read MIIBVwIBADANBgkq, short") == "read [secret pem], short"


@pytest.mark.parametrize("value", ["", "   ", "five5", " five5 \n", "\n\n"])
def test_words_too_short_to_be_told_from_others_stay(tmp_path, value):
    assert store(tmp_path, pw=[value])("five5   \n") == "five5   \n"


def test_nothing_is_read_before_there_is_a_text_and_then_once(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(_redact, "_values", lambda directory: read.append(directory) or [("pw", "hunter2")])
    redact = redactor(str(tmp_path))
    assert redact("") == "" and read == []
    assert redact("hunter2") == redact("hunter2") == "[secret pw]" and read == [str(tmp_path)]


def test_a_stack_without_secrets_says_what_it_said(tmp_path):
    assert redactor(str(tmp_path / "none"))("hunter2") == "hunter2"
    (tmp_path / "file").write_text("x")
    assert redactor(str(tmp_path))("hunter2") == "hunter2"


def test_what_cannot_be_looked_through_is_not_shown(tmp_path):
    (tmp_path / "pw" / "1").mkdir(parents=True)
    said = redactor(str(tmp_path))("hunter2")
    assert said.startswith("[withheld: {0}/pw/1 cannot be read".format(tmp_path))


@given(values=st.lists(WORD, min_size=1, max_size=4), text=st.lists(st.one_of(WORD, st.sampled_from(["abc", " "])), max_size=8))
@example(values=["XXXXXX", "XXXXXXX"], text=["XXXXXXX", "X"])
@example(values=["XYXYXYX"], text=["XYXYXYXYXYX"])
def test_no_value_is_left_in_a_text(values, text):
    said = replacing([("name", value) for value in values])("".join([*text, *values]))
    assert not [value for value in values if value.strip() in said]


@given(text=st.text(max_size=60), values=st.lists(st.text(min_size=6), max_size=3))
def test_any_text_without_a_secret_stays(text, values):
    said = replacing([("name", value) for value in values])(text)
    assert said == text or "[secret name]" in said
