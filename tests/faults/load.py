# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of the notes: requests at a steady rate from outside, and what became of each. The standard library only.

python3 tests/faults/load.py http://HOST --rate 10 --seconds 30
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import json
import threading
import time
import urllib.error
import urllib.request

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
TIMEOUT = 10


@dataclasses.dataclass(frozen=True)
class Request:
    """One request: when it was sent and answered, in seconds since the load began; status 0 is no answer at all."""

    method: str
    sent: float
    answered: float
    status: int
    version: str
    said: str

    @property
    def served(self) -> bool:
        return self.status in (200, 201)


@dataclasses.dataclass(frozen=True)
class Report:
    """What users saw between the begin of the load and its end."""

    requests: list[Request]
    seconds: float

    @property
    def failures(self) -> list[Request]:
        return [request for request in self.requests if not request.served]

    @property
    def written(self) -> int:
        return sum(request.served and request.method == "POST" for request in self.requests)

    @property
    def longest_gap(self) -> float:
        """The longest time in seconds in which nobody was served."""
        served = sorted(request.answered for request in self.requests if request.served)
        return max(later - earlier for earlier, later in itertools.pairwise([0.0, *served, self.seconds]))

    @property
    def versions(self) -> list[str]:
        """The versions that answered, one after the other."""
        served = (request.version for request in sorted(self.requests, key=lambda one: one.sent) if request.served)
        return [version for version, _ in itertools.groupby(served)]

    def __str__(self) -> str:
        latencies = sorted(request.answered - request.sent for request in self.requests if request.served)
        lines = [
            f"{len(self.requests)} requests in {self.seconds:.1f} s, {len(self.failures)} failed, "
            f"longest gap {self.longest_gap:.2f} s, median {latencies[len(latencies) // 2] * 1000 if latencies else 0:.0f} ms, "
            f"versions {' -> '.join(self.versions) or 'none'}"
        ]
        for (status, said), same in itertools.groupby(self.failures, key=lambda one: (one.status, one.said)):
            first, *more = same
            lines.append(f"  at {first.sent:.1f} s, {1 + len(more)} in a row: {status or 'no answer'} {said}")
        return "\n".join(lines)


class Load:
    """Sends requests from `with` on; every tenth one writes a note, the others read."""

    def __init__(self, url: str, rate: float = 10) -> None:
        self.url = url.rstrip("/")
        self.rate = rate
        self._requests: list[Request] = []
        self._senders: list[threading.Thread] = []
        self._enough = threading.Event()
        self._seconds = 0.0
        self._clock = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Load:
        self._began = time.monotonic()
        self._clock.start()
        return self

    def __exit__(self, *_exception) -> None:
        self._enough.set()
        self._clock.join()
        for sender in self._senders:
            sender.join()
        self._seconds = self._now()

    def report(self) -> Report:
        """What has been seen so far, or in all when the load has ended."""
        return Report(list(self._requests), self._seconds or self._now())

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _tick(self) -> None:
        """Sends by the clock, not by the answers: a server that hangs is asked on, as by real users."""
        for number in itertools.count(1):
            sender = threading.Thread(target=self._send, args=("GET" if number % 10 else "POST",), daemon=True)
            sender.start()
            self._senders.append(sender)
            if self._enough.wait(max(0.0, number / self.rate - self._now())):
                return

    def _send(self, method: str) -> None:
        body = json.dumps({"text": "from the load"}).encode() if method == "POST" else None
        sent, status, version, said = self._now(), 0, "", ""
        try:
            with _opener.open(urllib.request.Request(self.url + "/notes", data=body, method=method), timeout=TIMEOUT) as answer:
                answer.read()
                status, version = answer.status, answer.headers.get("X-Version", "")
        except urllib.error.HTTPError as error:
            status, version, said = error.code, error.headers.get("X-Version", ""), error.reason
        except (OSError, ValueError) as error:
            said = str(getattr(error, "reason", error))
        self._requests.append(Request(method, sent, self._now(), status, version, said))


def main() -> int:
    """Sends until the time is over or Ctrl-C; 1 when anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--rate", type=float, default=10, help="requests per second")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    arguments = parser.parse_args()
    with Load(arguments.url, arguments.rate) as load, contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait(arguments.seconds if arguments.seconds < threading.TIMEOUT_MAX else None)
    report = load.report()
    print(report)
    return 1 if report.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
