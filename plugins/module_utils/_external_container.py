# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container that servers elsewhere are tried from: on a stack's network, with the host's own Python and nothing else.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.

No image of the stack need have a program for it, and none is pulled: the image is empty, and what Python needs of the
host is mounted, read-only. The program and what it is to try come over its standard input, and nothing is kept of that.
"""

from __future__ import annotations

import json
import os
import sys
import typing as t

from ansible_collections.portside.stack.plugins.module_utils import _external_main
from ansible_collections.portside.stack.plugins.module_utils._compose_cli import Run, last_lines
from ansible_collections.portside.stack.plugins.module_utils._engine import EngineClient, EngineError
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._external_url import Target
from ansible_collections.portside.stack.plugins.module_utils._sources import sources

# Deeper down than the tags that keep a stack's images, whatever the stack's name is.
IMAGE = "portside.stack/external/probe:1"
LABEL = "portside.external"
# What a container of this may take beyond the time limit of what it tries, before it counts as left over.
_GRACE = 30
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
# What TLS trusts, and where the loader finds libraries in unusual places.
_SETTINGS = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/ld.so.cache")
_EMPTY_ARCHIVE = "\0" * 10240
# Ends by itself whatever happens to whoever waits for it: as the first process it has no default for signals.
_START = """\
import json, os, signal, sys, types
signal.signal(signal.SIGALRM, lambda *_: os._exit(124))
signal.alarm({seconds})
given = json.load(sys.stdin)
for name, text in given["sources"]:
    sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), sys.modules[name].__dict__)
sys.stdout.write(sys.modules[name].main(given))
sys.stdout.flush()
os._exit(0)
"""


def mounts(exists: t.Callable[[str], bool] = os.path.exists) -> t.List[str]:
    """The places of the host that its Python needs, as options of docker run."""
    prefixes = sorted({sys.base_prefix, sys.base_exec_prefix})
    own = [prefix for prefix in prefixes if not prefix.startswith("/usr/") and prefix not in ("/usr", "/")]
    return [
        word
        for place in (*_SYSTEM, *_SETTINGS, *own)
        if exists(place)
        # The image has no links from one to another, so each is mounted for itself.
        for word in ("--mount", "type=bind,source={0},target={1},readonly".format(os.path.realpath(place), place))
    ]


def interpreter() -> str:
    """The host's Python, also where this one runs in a virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def have_image(engine: EngineClient, run: Run) -> None:
    if engine.image(IMAGE) is None:
        code, out, err = run(["docker", "import", "-", IMAGE], _EMPTY_ARCHIVE)
        if code:
            raise StackError("the empty image {0} could not be made: {1}".format(IMAGE, last_lines(err or out)))


def remove_leftovers(engine: EngineClient, stack: str, now: float) -> None:
    """Remove what a run left that was interrupted together with the engine; another run may be at work just now."""
    for entry in engine.containers("{0}={1}".format(LABEL, stack)):
        if entry["Created"] < now - 600:
            try:
                engine.delete("/containers/{0}".format(entry["Id"]), force=1)
            except EngineError as error:
                if error.status not in (404, 409):
                    raise


def try_from(
    run: Run, stack: str, network: str, targets: t.Sequence[Target], timeout: float
) -> t.List[t.Tuple[str, str]]:
    """The outcome of each target, tried from that network."""
    seconds = int(timeout * max(len(one.places) for one in targets) * 2) + _GRACE
    options = [
        *("--rm", "--interactive", "--pull", "never", "--network", network),
        *("--label", "{0}={1}".format(LABEL, stack)),
        *("--user", "65534:65534", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        # Where SELinux is enforced, containers may not read the host's programs otherwise.
        *("--security-opt", "label=disable"),
        *("--read-only", "--log-driver", "none", "--pids-limit", "512"),
        *mounts(),
    ]
    program = [interpreter(), "-I", "-c", _START.format(seconds=seconds)]
    given = {
        "sources": list(sources(_external_main.__name__).items()),
        "targets": [one._asdict() for one in targets],
        "timeout": timeout,
    }
    code, out, err = run(["docker", "run", *options, IMAGE, *program], json.dumps(given))
    try:
        outcomes = [tuple(one) for one in json.loads(out)]
    except ValueError:
        outcomes = []
    if code or len(outcomes) != len(targets):
        said = last_lines(err) or "exit code {0}".format(code)
        raise StackError(
            "the container that is to try external services from network {0} did not do so: {1}".format(network, said)
        )
    return outcomes
