# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
import yaml
from ansible_collections.portside.stack.plugins.plugin_utils._yaml_text import compose_text, yaml_text
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=40),
    st.text(alphabet="0123456789:-_.exEo+nfaNyY ~<=\n\t|>#'\"", max_size=12),
)
DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.one_of(TEXTS, st.sampled_from(["command", "test", "entrypoint"])), inner, max_size=4),
)


@given(DOCUMENTS)
def test_reading_gives_the_document_back(document):
    assert yaml.safe_load(yaml_text(document)) == document


@given(st.dictionaries(TEXTS, st.dictionaries(TEXTS, DOCUMENTS, max_size=2), max_size=3), DOCUMENTS)
def test_air_between_services_changes_nothing(services, rest):
    document = {"name": "x", "services": services, "x-portside": rest}
    if services:
        assert yaml.safe_load(compose_text(document)) == document


@pytest.mark.parametrize(
    "value",
    ["8080:22", "22:22", "on", "No", "y", "1e3", "0777", "0o17", "0x1F", "1_000", "3", "3.0", ".5", "-1", "+1", "~", "null", ""]
    + ["2026-01-01", "12:30:45", "=", "<<", ".inf", "NaN", "true", "a: b", "a #b", "a:", "- a", "!x", "*x", "&x", "@x", " a "],
)
def test_what_some_yaml_reads_otherwise_is_quoted(value):
    assert yaml_text({"key": value}) in ('key: "{0}"\n'.format(value), "key: '{0}'\n".format(value))
    assert yaml_text({value: 1}).lstrip("? ").startswith(('"{0}"'.format(value), "'{0}'".format(value)))


@pytest.mark.parametrize("value", ["nginx:1.28", "5s", "512M", "1G", "data:/srv:ro", "/run/x", "http://a:80/", "unless-stopped"])
def test_what_all_yaml_reads_alike_stays_bare(value):
    assert yaml_text({"key": value}) == "key: {0}\n".format(value)


def test_command_lines_are_one_line_and_texts_with_lines_are_blocks():
    assert yaml_text({"test": ["CMD", "curl", "-f", "http://x/"]}) == 'test: [CMD, curl, "-f", "http://x/"]\n'
    assert yaml_text({"a": {"b": "x:\n  y\n"}}) == "a:\n  b: |\n    x:\n      y\n"
    assert yaml_text({"caps": ["A", {"b": 1}]}) == "caps:\n  - A\n  - b: 1\n"


def test_long_lines_are_not_folded():
    assert len(yaml_text({"key": "word " * 200}).splitlines()) == 1


def test_nothing_is_an_alias():
    shared = {"a": 1}
    assert yaml.safe_load(yaml_text([shared, shared])) == [shared, shared]
    assert "&" not in yaml_text([shared, shared])
