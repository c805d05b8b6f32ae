# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test bed: an engine, images, a registry and disposable hosts. See tests/bed/README.md."""

from __future__ import annotations

import argparse
import json
import sys

import engine
import hosts
import images
import keys
import registry
from shell import BedError


def main() -> int:
    """Runs one command; 1 with a message when it cannot be done."""
    parser = argparse.ArgumentParser(prog="python3 tests/bed", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("engine", help="a Docker engine on this machine, installed and started if need be")
    some = commands.add_parser("images", help="build what changed, push to the registry")
    some.add_argument("names", nargs="*", metavar="NAME")
    some.add_argument("--set", dest="one_set")
    commands.add_parser("registry", help="the registry, registry.test:5000 to the hosts")
    for name, text in (("up", "create or start a host"), ("reboot", "restart a host")):
        one = commands.add_parser(name, help=text)
        one.add_argument("name", metavar="NAME")
        one.add_argument("--json", action="store_true", help="print the host's data as JSON")
        if name == "up":
            one.add_argument("--suite", choices=hosts.SUITES)
            one.add_argument("--publish", action="append", default=[], metavar="8080:80", help="on 127.0.0.1 only")
            one.add_argument("--no-systemd", action="store_true")
    away = commands.add_parser("down", help="remove hosts and everything they kept")
    away.add_argument("names", nargs="*", metavar="NAME")
    away.add_argument("--all", action="store_true", help="every host of this machine")
    away.add_argument("--registry", action="store_true", help="the registry and the network too")
    away.add_argument("--images", action="store_true", help="the built images too")
    options = parser.parse_args()
    try:
        _run(options)
    except BedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    if options.command == "down":
        _down(options)
        return
    summary = engine.ensure_engine()
    if options.command == "engine":
        print(summary)
    elif options.command == "images":
        images.publish(options.names, options.one_set)
    elif options.command == "registry":
        print(f"127.0.0.1:{registry.ensure_registry()}, to the hosts {registry.NAME}:{registry.PORT}")
    else:
        data = (hosts.up(options.name, options.suite, options.publish, not options.no_systemd)
                if options.command == "up" else hosts.reboot(options.name))
        print(json.dumps(data, indent=2) if options.json else
              f"{data['name']} ({data['suite']}) is up: ssh -F {keys.SSH_CONFIG} {data['name']}")


def _down(options: argparse.Namespace) -> None:
    if not (options.names or options.all or options.registry or options.images):
        raise BedError("say which: python3 tests/bed down NAME, or --all")
    for name in hosts.all_names() if options.all else options.names:
        hosts.down(name)
        print(f"{name} is gone")
    left = hosts.all_names()
    if (options.registry or options.images) and left:
        print(f"what hosts share stays, for {', '.join(left)}")
        return
    if options.registry:
        registry.remove()
        print("the registry and its network are gone")
    if options.images:
        images.remove()
        print("the built images are gone")


if __name__ == "__main__":
    sys.exit(main())
