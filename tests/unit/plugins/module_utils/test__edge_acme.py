# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._edge_acme import Certbot, refusal
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

TLS = {"names": ["a.test", "b.test"], "directory_url": "https://acme.test/dir", "certificate": "portside-demo", "email": ""}
WEBROOT, OWN = "/opt/demo/edge/acme", ["portside-demo", "portside-demo-staging"]
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
    for name, stack in (("portside-demo", "demo"), ("portside-demo-staging", "demo"), ("portside-demo-2", "demo-2"), ("other", "demo")):
        text = "[renewalparams]\nwebroot_path = /opt/{0}/edge/acme,\n[[webroot_map]]\na.test = /opt/{0}/edge/acme\n".format(stack)
        (tmp_path / "etc/letsencrypt/renewal" / (name + ".conf")).write_text(text)
    (tmp_path / "etc/letsencrypt/renewal-hooks/deploy/portside-demo").touch()
    return Certbot("demo", run, FileSystem(), root=str(tmp_path)), commands


def renewed(tmp_path):
    return sorted(path.stem for path in (tmp_path / "etc/letsencrypt/renewal").glob("*.conf"))


@pytest.mark.parametrize("renewing", [True, False])
def test_only_the_stacks_own_certificates_are_let_go_of(tmp_path, renewing):
    made, commands = certbot(tmp_path)
    if not renewing:
        made.renew_only(WEBROOT)
    assert made.kept(WEBROOT) == OWN and made.has_hook() is renewing
    made.forget(made.kept(WEBROOT))
    assert commands == [["certbot", "delete", "--non-interactive", "--cert-name", name] for name in OWN]
    assert not made.has_hook() and made.kept(WEBROOT) == [] and renewed(tmp_path) == ["other", "portside-demo-2"]


def test_what_is_not_served_any_more_is_not_renewed_until_it_is_again(tmp_path):
    made, commands = certbot(tmp_path)
    made.renew_only(WEBROOT, "portside-demo-staging")
    assert renewed(tmp_path) == ["other", "portside-demo-2", "portside-demo-staging"] and made.has_hook()
    made.renew_only(WEBROOT)
    assert renewed(tmp_path) == ["other", "portside-demo-2"] and not made.has_hook()
    assert made.renewal_lacks(TLS, "/opt/demo") == "its certificate is not renewed any more"
    made.ensure_renewal(TLS, "/opt/demo")
    assert renewed(tmp_path) == ["other", "portside-demo", "portside-demo-2"]
    assert made.renewal_lacks(TLS, "/opt/demo") == "" and commands == []


def test_what_certbot_cannot_delete_is_told(tmp_path):
    made, _commands = certbot(tmp_path, code=1)
    with pytest.raises(StackError, match="could not delete the certificate portside-demo: no such account. Remedy"):
        made.forget(["portside-demo"])
