# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for cloudflared, and for what Cloudflare does at the tunnel's other end.

    cloudflared tunnel --config F --metrics ADDRESS run
    cloudflared tunnel --metrics ADDRESS ready
    cloudflared tunnel --config F ingress validate
    cloudflared tunnel --config F ingress rule URL

While it runs, port 8080 is the public side: a request there is what somebody asked Cloudflare for over HTTPS.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import urllib.error
import urllib.parse
import urllib.request

from ingress import Config, Refused, Rule, answering, decoded, read

VERSION = "2026.8.2"
PUBLIC_PORT = 8080
FLAGS = {"--no-autoupdate": False, "--config": True, "--metrics": True, "--loglevel": True, "--grace-period": True, "--protocol": True}
# Cloudflare says these of whoever asks, and nobody else can.
OVERWRITTEN = {"cf-connecting-ip", "cf-ray", "cf-visitor", "x-forwarded-proto"}
PIECE = 65536


def main(argv: list[str]) -> int:
    """One command."""
    try:
        words, flags = parsed(argv)
        command = " ".join(words[:3])
        if command in ("version", "tunnel version") or "--version" in flags:
            print(f"cloudflared version {VERSION} (stand-in)")
            return 0
        if command == "tunnel ready":
            return ready(flags["--metrics"])
        if command == "tunnel ingress validate":
            return validate(flags["--config"])
        if command == "tunnel ingress rule":
            return tell_rule(read(flags["--config"]), words[3])
        if command == "tunnel run":
            config = read(flags["--config"])
            check_credentials(config)
            asyncio.run(run(config, flags.get("--metrics") or str(config.settings["metrics"])))
            return 0
        raise Refused(f"the stand-in knows no command {' '.join(words)!r}")
    except KeyError as error:
        print(f"{error.args[0]} is missing", file=sys.stderr)
    except Refused as error:
        print(error, file=sys.stderr)
    return 1


def parsed(argv: list[str]) -> tuple[list[str], dict[str, str]]:
    """(words, flags) of a command line."""
    words: list[str] = []
    flags: dict[str, str] = {}
    left = list(argv)
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            words.append(word)
            continue
        name, _, value = word.partition("=")
        if name not in FLAGS and name != "--version":
            raise Refused(f"Incorrect Usage: flag provided but not defined: {name}")
        flags[name] = value or (left.pop(0) if FLAGS.get(name) and left else "true")
    return words, flags


def ready(metrics: str) -> int:
    """0 when the tunnel that runs is connected."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{metrics}/ready", timeout=4):
            return 0
    except (urllib.error.URLError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


def validate(path: str) -> int:
    """OK and 0, also with keys that mean nothing."""
    print("Validating rules from", path)
    try:
        config = read(path)
    except Refused as error:
        raise Refused(f"Validation failed: {error}") from error
    if config.unused:
        print("Warning: unused keys detected in your config file. Here is a list of unused keys:")
        print("\n".join(config.unused))
    print("OK")
    return 0


def tell_rule(config: Config, url: str) -> int:
    """The rule that answers a URL, by its number from 0."""
    parts = urllib.parse.urlsplit(url)
    rule = answering(config.rules, parts.netloc, decoded(parts.path))
    print(f"Matched rule #{config.rules.index(rule)}\n\tservice: {rule.service}")
    return 0


def check_credentials(config: Config) -> None:
    """What the file has to have for Cloudflare to let the tunnel in."""
    try:
        with open(config.credentials, encoding="utf-8") as file:
            credentials = json.load(file)
    except (OSError, ValueError) as error:
        raise Refused(f"Tunnel credentials file {config.credentials!r}: {error}") from error
    for key in ("AccountTag", "TunnelSecret", "TunnelID"):
        if not isinstance(credentials, dict) or not credentials.get(key):
            raise Refused(f"Tunnel credentials file {config.credentials!r} has no {key}")
    if credentials["TunnelID"] != config.tunnel:
        raise Refused(f"Unauthorized: the credentials are not those of tunnel {config.tunnel}")


# -- the tunnel ----------------------------------------------------------------------------------------------------


async def run(config: Config, metrics: str) -> None:
    """Serves until it is told to stop."""
    host, _, port = metrics.rpartition(":")
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    public = await asyncio.start_server(lambda reader, writer: serve(config.rules, reader, writer), None, PUBLIC_PORT)
    told = await asyncio.start_server(tell_ready, host, int(port))
    print("INF Registered tunnel connection (stand-in)", flush=True)
    await over.wait()
    public.close()
    told.close()


async def tell_ready(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The metrics server, of which only /ready is there."""
    asked = await reader.readline()
    found = asked.startswith(b"GET /ready ")
    writer.write(plain(200 if found else 404, json.dumps({"status": 200, "readyConnections": 4}).encode() if found else b""))
    writer.close()


def plain(status: int, body: bytes = b"") -> bytes:
    """A whole answer."""
    return f"HTTP/1.1 {status} Stand-in\r\nContent-Length: {len(body)}\r\nConnection: close\r\nServer: cloudflare\r\n\r\n".encode() + body


async def serve(rules: list[Rule], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request of somebody."""
    with contextlib.suppress(ConnectionError, EOFError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _version = head[0].split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)]
        host = next((value for name, value in headers if name.lower() == "host"), "")
        try:
            rule = answering(rules, host, decoded(target))
        except ValueError:
            writer.write(plain(400))
        else:
            if rule.service.startswith("http_status:"):
                writer.write(plain(int(rule.service.partition(":")[2])))
            else:
                await forward(rule, f"{method} {target} HTTP/1.1", headers, reader, writer)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    writer.close()


async def forward(rule: Rule, first: str, headers: list[tuple[str, str]], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes the request on, and then every byte in both directions as it comes."""
    url = urllib.parse.urlsplit(rule.service)
    try:
        origin_reader, origin_writer = await asyncio.open_connection(url.hostname, url.port or 80)
    except OSError as error:
        print(f"ERR Unable to reach the origin service {rule.service}: {error}", flush=True)
        writer.write(plain(502))
        return
    origin_writer.write("\r\n".join([first, *forwarded(rule, headers, writer.get_extra_info("peername")[0]), "", ""]).encode("latin-1"))
    from_client, from_service = asyncio.ensure_future(pump(reader, origin_writer)), asyncio.ensure_future(pump(origin_reader, writer))
    try:
        await asyncio.wait({from_client, from_service}, return_when=asyncio.FIRST_COMPLETED)
        if from_service.done() and not from_service.result():
            print(f"ERR {rule.service} closed the connection without an answer", flush=True)
            writer.write(plain(502))
    finally:
        from_client.cancel()
        from_service.cancel()
        origin_writer.close()


def forwarded(rule: Rule, headers: list[tuple[str, str]], client: str) -> list[str]:
    """The headers as the service gets them."""
    client = client.removeprefix("::ffff:")
    upgraded = any(name.lower() == "upgrade" for name, _value in headers)
    kept = [(name, value) for name, value in headers if name.lower() not in OVERWRITTEN | {"x-forwarded-for"} and (upgraded or name.lower() != "connection")]
    if "httpHostHeader" in rule.origin:
        kept = [("Host", rule.origin["httpHostHeader"])] + [one for one in kept if one[0].lower() != "host"]
    before = [value for name, value in headers if name.lower() == "x-forwarded-for"]
    said = [("CF-Connecting-IP", client), ("X-Forwarded-For", ", ".join([*before, client])), ("X-Forwarded-Proto", "https"), ("CF-Ray", "8f0000000000test-ZRH")]
    return [f"{name}: {value}" for name, value in [*kept, *said, *([] if upgraded else [("Connection", "close")])]]


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """What one side says, to the other; answers whether it said anything."""
    said = False
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(PIECE):
            said = True
            writer.write(piece)
            await writer.drain()
    return said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
