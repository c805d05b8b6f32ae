"""Certificates: of an ACME server, renewed and refused, of one's own making, and brought."""

from __future__ import annotations

import ssl
import subprocess

import pytest
from edges import PLACES, ROOT, eventually

HOSTS = {"hosts": ["app.test", "*.app.test"]}


def shown(web, url: str) -> dict:
    """The certificate that is shown, which has to be good."""
    with web.connect(url) as connection:
        return connection.getpeercert()


def account(site) -> str:
    """Whom the authority knows this host as."""
    return site.sh("cd /etc/letsencrypt/accounts && find . -type f | sort | xargs sha256sum")


def test_it_is_of_the_authority_and_renewed_by_a_timer(site, front):
    assert "Pebble" in str(shown(front, "https://self.test/")["issuer"])
    assert site.sh("systemctl is-enabled certbot.timer; systemctl is-active certbot.timer").split() == ["enabled", "active"]
    assert "portside-front" in site.sh("certbot certificates 2>/dev/null")


def test_a_renewal_is_served_without_a_restart(site, front):
    before, old = (site.started("front"), account(site)), shown(front, "https://self.test/")["serialNumber"]
    site.sh("certbot renew --force-renewal --no-random-sleep-on-renew --quiet")
    new = eventually("the renewed certificate is shown", lambda: (serial := shown(front, "https://self.test/")["serialNumber"]) != old and serial)
    kept = site.sh("openssl x509 -noout -serial -in /etc/letsencrypt/live/portside-front*/cert.pem")
    assert int(kept.partition("=")[2], 16) == int(new, 16)
    assert (site.started("front"), account(site)) == before


def test_a_challenge_that_fails_ends_the_deploy_with_its_name_and_nothing_else(site, front):
    def look() -> tuple:
        release = site.current("front"), site.sh(f"sha256sum {ROOT}/front/edge/nginx.conf")
        return site.started("front"), release, account(site), shown(front, "https://self.test/")["serialNumber"]

    before = look()
    done = site.deploy("front", "website", edge_more_routes=[{"host": "nowhere.test", "respond": 204}])
    assert done.code != 0
    assert not done.lacks("stack front", "nowhere.test: .*(no such host|resolv)", "Remedy"), done.output
    assert look() == before
    with pytest.raises(ssl.SSLError):
        front.connect("https://nowhere.test/")
    assert front.ask("https://self.test/ws").service == "realtime:8001"


@pytest.fixture(scope="module")
def self_signed(site, second):
    """The stack of system 3 with a certificate of its own making; its old certificate is its authority."""
    site.deployed("appstack", stack_overrides={"appstack": {**PLACES, "edge": {"tls": {"kind": "self_signed"}, **HOSTS}}})
    return site.sh(f"openssl x509 -in {ROOT}/appstack/edge/certificates/self-signed.pem")


def test_a_self_signed_certificate_is_for_the_declared_names(site, self_signed):
    web = site.appstack(self_signed)
    for host in ("app.test", "a.app.test"):
        answer = web.ask(f"https://{host}/api/x")
        assert (answer.service, answer.all("Strict-Transport-Security")) == ("backend:8000", [])
    assert web.ask("http://app.test/x?y").all("Location") == ["https://app.test:8444/x?y"]
    with pytest.raises(ConnectionError):
        web.ask("http://unknown.test/")
    socket = web.websocket("https://app.test/ws")
    assert "frontend" in socket.next()
    socket.close()


def test_certificates_that_are_brought_are_served_without_a_restart(site, self_signed, tmp_path):
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    names = ",".join("DNS:" + name for name in HOSTS["hosts"])
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", "/CN=brought", "-addext", f"subjectAltName={names}"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    before = site.started("appstack")
    brought = {"kind": "files", "certificates": [{"certificate": certificate.read_text(), "key": "tls_key"}]}
    declared = {**PLACES, "edge": {"tls": brought, **HOSTS}, "secrets": {"tls_key": {}}}
    done = site.deployed("appstack", edge_key=key.read_text(), stack_overrides={"appstack": declared})
    assert key.read_text().split("\n")[1] not in done.output
    assert "brought" in str(shown(site.appstack(certificate.read_text()), "https://app.test/")["subject"])
    assert site.started("appstack") == before
