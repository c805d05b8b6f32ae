# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._audit_cloudflared import NotUnderstood, Told, ingress_of, read_configs, told
from hypothesis import given
from hypothesis import strategies as st

CONFIG = """
tunnel: 6ff42ae2-765d-4adf-8112-31c55c1551ef
credentials-file: /root/.cloudflared/secret.json   # s3ntinel
ingress:
  # s3ntinel
  - hostname: "*.example.com"   # s3ntinel
    path: ^/api(/|$)
    service: http://user:s3ntinel@localhost:8000
    originRequest:
      httpHostHeader: 'it''s'
      connectTimeout: 30s
      ipRules:
        - prefix: 1.1.1.0/24
          ports: []
      access:
        required: true
        audTag:
          - abc
  - service: http_status:404
warp-routing:
  enabled: true
"""
RULES = """ingress:
  - hostname: "*.example.com"
    path: ^/api(/|$)
    service: http://localhost:8000
    originRequest: 
      httpHostHeader: 'it''s'
      connectTimeout: 30s
      ipRules: 
        - prefix: 1.1.1.0/24
          ports: []
      access: 
        required: true
        audTag: 
          - abc
  - service: http_status:404
"""  # noqa: W291


def test_the_rules_alone_leave():
    assert ingress_of(CONFIG) == RULES
    assert ingress_of("ingress:\n- service: http://a\n- service: http_status:404\nother: 1\n") == "ingress:\n- service: http://a\n- service: http_status:404\n"
    assert ingress_of("tunnel: x\n") == "" and ingress_of("ingress: []\n") == ""


@pytest.mark.parametrize(
    "text",
    [
        "ingress: [{service: s3ntinel}]",
        "ingress:\n  - service: |\n      s3ntinel",
        "ingress:\n  - password: s3ntinel",
        "ingress:\n  - service: &a s3ntinel",
        "ingress:\n  - service: *a",
        "ingress:\n  - service: {a: s3ntinel}",
        "ingress:\n  - service: 'a\n    s3ntinel'",
        "ingress:\n  - service: a\n    s3ntinel: and more",
        "ingress:\n  - service: a\n      s3ntinel goes on",
    ],
)
def test_what_is_written_otherwise_is_not_guessed(text):
    with pytest.raises(NotUnderstood) as error:
        ingress_of(text)
    assert "s3ntinel" not in str(error.value) and "line" in str(error.value)


@given(st.text("ab:-#'\"[]{}|&*@/ \n", max_size=40))
def test_it_reads_or_refuses(text):
    try:
        assert "@" not in ingress_of("ingress:\n  - service: http://a:b@c\n" + text.replace("@", ""))
    except NotUnderstood:
        return


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cloudflared --config /etc/c.yml tunnel run", Told("/etc/c.yml", False, False)),
        ("cloudflared tunnel --no-autoupdate run --token s3ntinel", Told("", True, False)),
        ("cloudflared tunnel --config=/c.yml run", Told("/c.yml", False, False)),
        ("cloudflared tunnel --url http://localhost:1", Told("", False, True)),
        ("cloudflared tunnel run", Told("", False, False)),
    ],
)
def test_what_it_was_told(words, expected):
    assert told(words.split()) == expected


class Files:
    def read(self, path):
        if path == "/broken":
            raise PermissionError(13, "Permission denied")
        return {"/a": CONFIG.encode(), "/odd": b"ingress: {}\n "}.get(path)


def test_each_file_once():
    found = list(read_configs(Files(), ["/a", "/a", "/none", "/broken", "/odd"]))
    assert [(one["path"], bool(one["ingress"]), one["problem"]) for one in found] == [
        ("/a", True, ""),
        ("/broken", False, "/broken could not be read: Permission denied"),
        ("/odd", False, "/odd could not be read: line 1: the rules are not written as lines below ingress"),
    ]
