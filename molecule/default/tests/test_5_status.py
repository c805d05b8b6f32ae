"""How it is, on one screen and for programs, and the way to what nobody reaches."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import socket
import subprocess
import time

PROJECT = pathlib.Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
SERVICES = {"postgres", "pgbouncer", "redis", "api", "asgi", "worker", "beat", "realtime", "media", "edge"}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def postgres_answers(address: str, port: int) -> bool:
    """Whether a PostgreSQL server is there: only one answers a question about TLS like this."""
    try:
        with socket.create_connection((address, port), timeout=5) as one:
            one.sendall(SSL_REQUEST)
            return one.recv(1) in (b"S", b"N")
    except OSError:
        return False


def test_one_screen_has_every_service_and_costs_few_remote_executions(site, tmp_path):
    output = tmp_path / "status.txt"
    done = site("playbooks/status.yml", output=str(output))
    assert done.code == 0 and done.recap["changed"] == 0, done.output
    executions = len(re.findall(r"ESTABLISH SSH CONNECTION FOR USER", done.output)) + len(re.findall(r"<(?!localhost)\S+> PUT .* TO ", done.output))
    print("remote executions of a status: %d" % executions)
    assert 0 < executions <= 4

    lines = output.read_text().splitlines()
    table = lines[lines.index(next(line for line in lines if line.startswith("  SERVICE"))) + 1 :][: len(SERVICES)]
    rows = {words[0]: words for words in map(str.split, table)}
    assert set(rows) == SERVICES and {words[1] for words in rows.values()} == {"running"}, lines
    # What it uses of what it may, of every service, and of the database what was declared.
    assert all(re.fullmatch(r"\d+\.\d\d/[\d.]+", words[-2]) and re.fullmatch(r"\d+M/(\d+M|1G)", words[-1]) for words in rows.values()), lines
    assert rows["postgres"][-2].endswith("/2") and rows["postgres"][-1].endswith("/1G")
    assert all(len(line) <= 120 or line.startswith("ssh -N ") for line in lines)


def test_a_question_is_answered_and_the_tunnel_leads_to_what_nobody_reaches(site, tmp_path):
    output = tmp_path / "status.json"
    query = "{ill: stacks[].services[?health!='healthy'].name[], ways: stacks[].services[?name=='postgres'].[tunnel, tunnel_to[0]][]}"
    done = site("playbooks/status.yml", query=query, output=str(output))
    assert done.code == 0, done.output
    found = json.loads(output.read_text())
    assert found["ill"] == []
    ((command, end),) = found["ways"]
    assert not postgres_answers(end["address"], end["port"])

    port = free_port()
    words = shlex.split(command.replace("-L %d:" % end["local"], "-L %d:" % port))
    tunnel = subprocess.Popen(words, cwd=PROJECT)
    try:
        deadline = time.monotonic() + 30
        while not postgres_answers("127.0.0.1", port):
            assert tunnel.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        tunnel.terminate()
        tunnel.wait()
    assert not postgres_answers("127.0.0.1", port)
