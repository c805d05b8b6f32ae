# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx that serves many lists of locations at once and says of each request which location answered."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time

from local_images import local_image, running

CONFIG = """
worker_processes 1;
error_log /dev/null;
pid /srv/test/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    server_names_hash_bucket_size 128;
    server {{ listen unix:/srv/test/back; return 200 "$http_x_place"; }}
    {servers}
}}
"""


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def config_of(lists, merge_slashes=True):
    """A configuration with one server for each list, named s0, s1, ..."""
    servers = [
        "server {{ listen unix:/srv/test/front; server_name s{0}; merge_slashes {1}; root /nowhere;\n{2}\n}}".format(
            number, "on" if merge_slashes else "off", _locations(locations, ())
        )
        for number, locations in enumerate(lists)
    ]
    return CONFIG.format(servers="\n".join(servers))


def _locations(locations, above):
    return "\n".join(_location(entry, above + (number,)) for number, entry in enumerate(locations))


def _location(entry, place):
    words = [quoted(word) for word in (entry.get("modifier"), entry["pattern"]) if word is not None and (word or word is entry["pattern"])]
    shown = ",".join(str(number) for number in place)
    if entry.get("passes"):
        answer = 'proxy_set_header X-Place "{0}"; proxy_pass http://unix:/srv/test/back:/x;'.format(shown)
    else:
        answer = 'return 200 "{0} $uri";'.format(shown)
    return "location {0} {{\n{1}\n{2}\n}}".format(" ".join(words), _locations(entry.get("locations", []), place), answer)


@contextlib.contextmanager
def nginx_serving(directory, lists, merge_slashes=True):
    """For the body: a function (number of the list, target) -> (place or None, path or None)."""
    (directory / "nginx.conf").write_bytes(config_of(lists, merge_slashes).encode("utf-8", "surrogateescape"))
    with running(local_image("nginx"), directory, "nginx", "-c", "/srv/test/nginx.conf", "-g", "daemon off; user root;") as name:
        deadline = time.monotonic() + 30
        while not (directory / "nginx.pid").exists():
            if time.monotonic() > deadline:
                raise AssertionError(subprocess.run(["docker", "logs", name], capture_output=True, text=True).stderr)
            time.sleep(0.05)
        yield lambda number, target: _asked(directory / "front", number, target)


def _asked(path, number, target):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(b"GET %s HTTP/1.0\r\nHost: s%d\r\n\r\n" % (target.encode("utf-8", "surrogateescape"), number))
        received = b""
        while True:
            more = connection.recv(65536)
            if not more:
                break
            received += more
    head, gap, body = received.partition(b"\r\n\r\n")
    if head.split(b" ")[1] != b"200":
        return None, None
    place, gap, uri = body.partition(b" ")
    places = [int(part) for part in place.decode().split(",")]
    return (places[0] if len(places) == 1 else places), (uri if gap else None)


@contextlib.contextmanager
def nginx_judging(directory):
    """For the body: a function configuration -> what `nginx -t` has against it, "" when nothing."""
    with running(local_image("nginx"), directory) as name:

        def judge(configuration):
            (directory / "judged.conf").write_bytes(configuration.encode("utf-8", "surrogateescape"))
            done = subprocess.run(["docker", "exec", name, "nginx", "-t", "-c", "/srv/test/judged.conf"], capture_output=True, text=True)
            return "" if done.returncode == 0 else done.stderr

        yield judge
