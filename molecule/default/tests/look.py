"""Runs on the host, as root: tells where the values of a stack's secrets can be seen, and never a value.

python3 - watch     until /run/look.watch is gone: keeps every command line there ever is
python3 - look      the places, as JSON
"""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
import time

SECRETS = "/opt/stacks/selflink/secrets"
# What nothing else says; all other secrets are composed of these.
ATOMS = ("app_login", "django_secret_key", "pgbouncer_login", "postgres_password", "realtime_jwt_secret", "redis_password")
WATCHING, SEEN, PATTERNS = "/run/look.watch", "/run/look.seen", "/run/look.patterns"
ELSEWHERE = "find / ( -path /proc -o -path /sys -o -path /dev -o -path */merged -o -path %s -o -path /run/look.* ) -prune -o -type f -size +15c -print0"


def values() -> dict[str, str]:
    """Each value, by the secret and version whose it is."""
    found = {}
    for name in ATOMS:
        for path in glob.glob("%s/%s/*" % (SECRETS, name)):
            with open(path) as file:
                found["%s/%s" % (name, os.path.basename(path))] = file.read()
    assert {one.split("/")[0] for one in found} == set(ATOMS) and all(len(value) >= 32 for value in found.values())
    return found


def watch() -> None:
    seen = set()
    while os.path.exists(WATCHING):
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path) as file:
                    seen.add(file.read())
            except (OSError, UnicodeDecodeError):
                pass
        time.sleep(0.02)
    with open(SEEN, "w") as file:
        json.dump(sorted(seen), file)


def said(*argv: str) -> str:
    return subprocess.run(argv, check=True, text=True, errors="replace", stdout=subprocess.PIPE).stdout


def texts() -> dict[str, str]:
    """What the host shows, and to whoever may ask the engine."""
    images, containers, networks = (
        said("docker", *words, "--quiet", "--no-trunc").split() for words in (("image", "ls"), ("ps", "--all"), ("network", "ls"))
    )
    assert images and containers
    found = {
        "journal": said("journalctl", "--quiet", "--all", "--output=json"),
        "history": open("/opt/stacks/selflink/history.jsonl").read(),
        "docker inspect": said("docker", "inspect", *containers, *images, *networks),
        "docker compose config": said("docker", "compose", "-f", "/opt/stacks/selflink/current/compose.yaml", "config"),
    }
    for image in images:
        found["docker history of %s" % image] = said("docker", "history", "--no-trunc", image)
    # Docker's own log files are for root; whoever may ask the engine may read them too.
    for container in containers:
        found["docker logs of %s" % container] = subprocess.run(
            ["docker", "logs", container], check=True, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ).stdout
    if os.path.exists(SEEN):
        with open(SEEN) as file:
            seen = json.load(file)
        assert any("docker" in line for line in seen)
        found["command lines"] = "\n".join(seen)
    return found


def files(known: dict[str, str]) -> list[str]:
    """Every file with a value, in every layer of every image too, and those of the secrets that others may read."""
    with open(os.open(PATTERNS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("".join(value + "\n" for value in set(known.values())))
    finder = subprocess.Popen((ELSEWHERE % SECRETS).split(), stdout=subprocess.PIPE)
    grep = subprocess.run(
        ["xargs", "-0", "grep", "-laF", "-f", PATTERNS, "--"], stdin=finder.stdout, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    os.unlink(PATTERNS)
    assert finder.wait() == 0
    kept = [os.path.join(home, name) for home, _directories, names in os.walk(SECRETS) for name in names]
    assert len(kept) > len(known)
    return sorted(grep.stdout.splitlines()) + [path for path in kept if os.stat(path).st_mode & 0o077]


def look() -> None:
    known = values()
    places = ["%s: %s" % (place, name) for place, text in texts().items() for name, value in known.items() if value in text]
    print(json.dumps(places + ["file %s" % path for path in files(known)]))


if __name__ == "__main__":
    {"watch": watch, "look": look}[sys.argv[1]]()
