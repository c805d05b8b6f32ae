"""How it is answered: HTTPS, headers, the client's address, and what a route can say."""

from __future__ import annotations

import pytest

SECURITY = ["X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Strict-Transport-Security"]
# A request for each kind of answer: of a service, of a service's error, of the edge by itself, of the edge instead of a service.
ANSWERS = {
    "https://self.test/": 200,
    "https://self.test/?status=500": 500,
    "https://self.test/a//b": 400,
    "https://limited.test/nothing": 404,
    "https://shop.test/old": 301,
    "https://shop.test/moved/x": 308,
    "https://shop.test/gone": 410,
    "https://shop.test/nothing": 204,
    "https://shop.test/slow/wait?seconds=9": 504,
}


def test_the_certificate_is_for_every_name(front):
    for host in ("self.test", "limited.test", "shop.test", "lcl.example.com"):
        assert front.ask(f"https://{host}/health").body == b"ok\n"


def test_http_leads_to_https(front):
    answer = front.ask("http://self.test/ws/x?a=%2F&b")
    assert (answer.status, answer.all("Location")) == (308, ["https://self.test/ws/x?a=%2F&b"])
    assert answer.all("Strict-Transport-Security") == []
    # Nothing is redirected to where the client pretends to be.
    with pytest.raises(ConnectionError):
        front.ask("http://self.test/", host="evil.test")


def test_http_2_is_spoken(site, second):
    command = "curl -fsS -o /dev/null -w '%{http_version} %{response_code}' --cacert /tmp/root.pem --resolve self.test:443:127.0.0.1"
    site.sh("curl -fsS --cacert /etc/pebble/certificate.pem https://127.0.0.1:15000/roots/0 > /tmp/root.pem")
    assert site.sh(f"{command} --http2 https://self.test/") == "2 200"
    assert site.sh(f"{command} --http1.1 https://self.test/") == "1.1 200"


def test_health_is_answered_by_the_edge_itself(site, front):
    for answer in (front.ask("https://self.test/health"), front.ask("http://self.test/health"), site.appstack().ask("http://any.test/health")):
        assert (answer.status, answer.body, answer.all("Content-Type")) == (200, b"ok\n", ["text/plain"])


@pytest.mark.parametrize("url", ANSWERS)
def test_security_headers_are_there_once_whatever_is_answered(front, url):
    answer = front.ask(url)
    assert answer.status == ANSWERS[url]
    assert {name: len(answer.all(name)) for name in SECURITY} == dict.fromkeys(SECURITY, 1)
    assert answer.all("Server") == ["nginx"]


def test_a_header_that_the_service_sends_itself_stays_its_own(front):
    answer = front.ask("https://self.test/?header=X-Frame-Options:DENY")
    assert {name: len(answer.all(name)) for name in SECURITY} == dict.fromkeys(SECURITY, 1)
    assert answer.all("X-Frame-Options") == ["DENY"]


def test_plain_http_promises_no_https(site, second):
    answer = site.appstack().ask("http://app.test/")
    assert {name: len(answer.all(name)) for name in SECURITY} == {**dict.fromkeys(SECURITY, 1), "Strict-Transport-Security": 0}


FORGED = {"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil.test", "Forwarded": "for=6.6.6.6"}


def test_the_service_learns_who_asks_and_how(site, front):
    answer = front.ask("https://self.test/", headers={**FORGED, "CF-Connecting-IP": "6.6.6.6"})
    assert answer.arrived("Host") == ["self.test"]
    assert answer.arrived("X-Forwarded-Proto") == ["https"]
    assert answer.arrived("X-Forwarded-Host") == ["self.test"]
    assert answer.arrived("X-Forwarded-For") == answer.arrived("X-Real-IP") == [site.outside]
    assert answer.arrived("Forwarded") == []
    assert site.appstack().ask("http://app.test/", headers=FORGED).arrived("X-Forwarded-Proto") == ["http"]


def test_behind_a_tunnel_it_is_the_client_of_cloudflare_who_asks(site, hidden):
    answer = hidden.ask("http://hidden.test/", headers={**FORGED, "CF-Connecting-IP": "6.6.6.6"})
    # Cloudflare's client is who the tunnel's stand-in sees: the host, on the shared network.
    (client,) = answer.arrived("CF-Connecting-IP")
    assert client not in ("6.6.6.6", site.address("website/tunnel"))
    assert answer.arrived("X-Real-IP") == answer.arrived("X-Forwarded-For") == [client]
    assert answer.arrived("X-Forwarded-Proto") == ["https"]
    # A closed connection would be an error of the tunnel's.
    assert hidden.ask("http://unknown.test/").status == 404


def test_redirects(front):
    assert front.ask("https://shop.test/old?x=1").all("Location") == ["https://self.test/new"]
    assert front.ask("https://shop.test/moved/a%2Bb?x=%2F1").all("Location") == ["https://self.test/moved/a%2Bb?x=%2F1"]
    assert front.ask("https://shop.test/older").service == "api:8000"


def test_static_responses(front):
    answer = front.ask("https://shop.test/gone")
    assert (answer.body, answer.all("Content-Type")) == (b'it is "gone"; {x}\n', ["text/plain"])
    assert front.ask("https://shop.test/nothing").body == b""


def test_methods(front):
    assert front.ask("https://shop.test/read").status == front.ask("https://shop.test/read", "HEAD").status == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
        answer = front.ask("https://shop.test/read", method)
        assert (answer.status, answer.all("Allow")) == (405, ["GET, HEAD"])
    assert front.ask("https://shop.test/reader", "DELETE").told["method"] == "DELETE"


def test_a_prefix_is_stripped(front):
    wanted = {"/strip": "/", "/strip/": "/", "/strip/x": "/x", "/strip/x/?q=%2F": "/x/?q=%2F", "/strip/strip/x": "/strip/x", "/stripped": "/stripped"}
    assert {target: front.ask("https://shop.test" + target).told["target"] for target in wanted} == wanted


def test_a_url_is_asked_by_its_own_name(front):
    answer = front.ask("https://shop.test/away/x?y=1")
    assert (answer.service, answer.told["target"], answer.arrived("Host")) == ("asgi:8001", "/away/x?y=1", ["front-asgi-1:8001"])


def test_long_answers_are_compressed_for_those_who_ask(front):
    target = "https://self.test/" + "x" * 2000
    assert front.ask(target, headers={"Accept-Encoding": "gzip"}).all("Content-Encoding") == ["gzip"]
    assert front.ask(target).all("Content-Encoding") == []
