# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._sshd import sshd_config, sshd_lockouts

KEYED = {"user": "deploy", "password": False, "keys": 1}


def test_values_become_what_sshd_reads():
    options = {"X11Forwarding": False, "AllowUsers": ["deploy", "ops"], "LoginGraceTime": 30, "PubkeyAuthentication": True}
    assert sshd_config(options) == "AllowUsers deploy ops\nLoginGraceTime 30\nPubkeyAuthentication yes\nX11Forwarding no\n"


@pytest.mark.parametrize(
    ("options", "operator"),
    [
        ({"PermitRootLogin": False}, {"user": "root"}),
        ({"permitrootlogin": "forced-commands-only"}, {"user": "root"}),
        ({"PermitRootLogin": "prohibit-password"}, {"user": "root", "password": True}),
        ({"PasswordAuthentication": "no"}, {"password": True}),
        ({"PasswordAuthentication": False}, {"keys": 0}),
        ({"PubkeyAuthentication": False}, {}),
        ({"AllowUsers": "nobody"}, {}),
        ({"AllowUsers": ["*", "!deploy"]}, {}),
        ({"DenyUsers": ["dep*"]}, {}),
    ],
)
def test_what_locks_out_is_told_with_its_key(options, operator):
    problems = sshd_lockouts(options, {**KEYED, **operator})
    assert len(problems) == 1
    assert problems[0].lower().startswith(list(options)[0].lower())
    assert "Remedy" in problems[0]


@pytest.mark.parametrize(
    ("options", "operator"),
    [
        ({"PermitRootLogin": False, "PasswordAuthentication": False}, {}),
        ({"PermitRootLogin": "prohibit-password", "PasswordAuthentication": False}, {"user": "root"}),
        ({"PasswordAuthentication": True}, {"password": True, "keys": 0}),
        ({"PasswordAuthentication": False, "TrustedUserCAKeys": "/etc/ssh/ca.pub"}, {"keys": 0}),
        ({"AllowUsers": ["ops", "dep?oy@10.0.0.0/8"]}, {}),
        ({"DenyUsers": ["root"]}, {}),
    ],
)
def test_what_lets_in_is_not_refused(options, operator):
    assert sshd_lockouts(options, {**KEYED, **operator}) == []


def test_all_problems_at_once():
    options = {"PermitRootLogin": False, "PasswordAuthentication": False, "AllowUsers": "deploy"}
    assert len(sshd_lockouts(options, {"user": "root", "password": True, "keys": 0})) == 3
