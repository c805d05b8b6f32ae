# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._edge_acme import Certbot, refusal
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

TLS = {"names": ["a.test", "b.test"], "directory_url": "https://acme.test/dir", "certificate": "portside-demo", "email": ""}
BOTH = """Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: a.test
  Type:   urn:ietf:params:acme:error:dns
  Detail: DNS problem: NXDOMAIN looking up A for a.test -
    check that a DNS record exists for this domain

  Domain: b.test
  Type:   connection
  Detail: 192.0.2.1: Fetching http://b.test/: Timeout during connect (likely firewall problem)

Hint: The Certificate Authority failed to download the temporary challenge files
"""


def test_each_name_that_failed_is_told_with_its_reason_and_both_remedies():
    lines = refusal("demo", TLS, BOTH).splitlines()
    assert lines[0] == "stack demo: https://acme.test/dir issued no certificate for a.test, b.test:"
    assert lines[1] == "  a.test: dns: DNS problem: NXDOMAIN looking up A for a.test - check that a DNS record exists for this domain"
    assert lines[2].startswith("  b.test: connection: 192.0.2.1: Fetching http://b.test/: Timeout")
    assert "DNS records lead to this host; see that port 80 of this host is reachable" in lines[3]
    assert len(lines) == 4


@pytest.mark.parametrize(
    "output, said, remedy",
    [
        (
            "An unexpected error occurred:\nError creating new order :: too many certificates (5) already issued for this exact set\n",
            "too many certificates (5)",
            "wait as told; until then, edge.tls.staging: true",
        ),
        ("requests.exceptions.ConnectionError: Max retries exceeded with url: /dir", "Max retries", "reaches the ACME server"),
        ("", "it did not say why", "edge.tls.staging: true"),
    ],
)
def test_what_is_no_challenge_is_told_with_a_remedy_too(output, said, remedy):
    text = refusal("demo", TLS, "Saving debug log to /var/log/letsencrypt/letsencrypt.log\n" + output)
    assert said in text and remedy in text and "Saving debug log" not in text


def certbot(tmp_path, code=0):
    commands = []

    def run(argv, _data):
        commands.append(argv)
        if not code:
            (tmp_path / "etc/letsencrypt/renewal" / (argv[-1] + ".conf")).unlink()
        return code, "", "Saving debug log\nno such account\n" if code else ""

    for folder in ("renewal", "renewal-hooks/deploy"):
        (tmp_path / "etc/letsencrypt" / folder).mkdir(parents=True)
    for name in ("portside-demo", "other"):
        (tmp_path / "etc/letsencrypt/renewal" / (name + ".conf")).touch()
    (tmp_path / "etc/letsencrypt/renewal-hooks/deploy/portside-demo").touch()
    return Certbot("demo", run, FileSystem(), root=str(tmp_path)), commands


def test_only_the_stacks_own_certificate_is_let_go_of(tmp_path):
    made, commands = certbot(tmp_path)
    assert made.kept(["portside-demo", "portside-demo-staging"]) == ["portside-demo"] and made.has_hook()
    made.forget(["portside-demo", "portside-demo-staging"])
    assert commands == [["certbot", "delete", "--non-interactive", "--cert-name", "portside-demo"]]
    assert not made.has_hook() and made.kept(["portside-demo", "other"]) == ["other"]


def test_what_certbot_cannot_delete_is_told(tmp_path):
    made, _commands = certbot(tmp_path, code=1)
    with pytest.raises(StackError, match="could not delete the certificate portside-demo: no such account. Remedy"):
        made.forget(["portside-demo"])
