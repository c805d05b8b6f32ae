# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of owners: those of volumes, and of directories that services mount.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import posixpath
import re
import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _compose_grammar as grammar
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, shown
from ansible_collections.portside.stack.plugins.plugin_utils._text_problems import text_problems
from ansible_collections.portside.stack.plugins.plugin_utils._volumes import OWNER_KEYS, bind_sources, has_owner, related, with_owner

_MODE = re.compile(r"0?[0-7]{3,4}")
_LARGEST = 2**32 - 2
# Directories that the host itself works with: a child of one may be the stack's, never the directory.
_SYSTEM = set(
    "/bin /boot /dev /etc /home /lib /lib32 /lib64 /libx32 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /var /etc/ssh /etc/ssl "
    "/usr/bin /usr/lib /usr/local /usr/sbin /usr/share /var/cache /var/lib /var/log /var/run /var/spool /var/tmp /var/www".split()
)
# Nothing in these is anybody's but the kernel's or the engine's.
_NEVER_IN = ("/proc", "/sys", "/dev", "/var/lib/docker", "/var/lib/containerd", model.STACK_ROOT)

# Path -> the stack that declares it, and how.
Declared = t.Dict[str, t.Tuple[str, model.Mapping]]


def owner_problems(report: Report, where: str, options: model.Mapping) -> bool:
    """Judges uid, gid and mode; answers whether they can be read."""
    good = True
    for key in OWNER_KEYS:
        value = options.get(key)
        place = "{0}.{1}".format(where, key)
        if value is None:
            continue
        if key == "mode" and (not isinstance(value, str) or not _MODE.fullmatch(value)):
            report.add(place, 'value {0} is a guess between octal and decimal; write octal digits in quotes, "0750"'.format(shown(value)))
            good = False
        elif key != "mode" and (not grammar.is_count(value) or not 0 <= int(value) <= _LARGEST):
            report.add(place, "value {0} is not a number; names of accounts differ inside the container".format(shown(value)))
            good = False
    return good


def volume_owner_problems(report: Report, where: str, options: model.Mapping) -> None:
    """Judges the owner of a declared volume."""
    if not has_owner(options):
        return
    owner_problems(report, where, options)
    if options.get("driver", "local") != "local" or options.get("driver_opts"):
        report.add(
            where,
            "uid, gid and mode are set in the engine's own directory, and this volume lies elsewhere (driver, driver_opts); leave them out, and "
            "say it to what is mounted",
        )


def directory_problems(report: Report, stack: model.Mapping, services: t.Dict[str, model.Mapping], declared: Declared) -> None:
    """Judges the declared directories; ``declared`` has those of all stacks."""
    given = stack.get("directories")
    sources = sorted({source for service in services.values() for source in bind_sources(service)})
    for path, options in given.items() if isinstance(given, dict) else ():
        where = "directories.{0}".format(path)
        if options is not None and not isinstance(options, dict):
            report.add(where, "value {0} is not a mapping; write {{}} for root's own, 0755".format(shown(options)))
        options = model.mapping(options)
        for key in options:
            if key not in OWNER_KEYS:
                report.unknown(where, key, OWNER_KEYS, "a key of it", "use " + ", ".join(OWNER_KEYS))
        text_problems(report, path, where)
        if _path_problems(report, where, path) and owner_problems(report, where, options):
            if not any(related(path, source) for source in sources):
                report.unknown(where, path, sources, "mounted by any service", "mount it under `volumes` of a service, or remove it")
            owner = with_owner({key: value for key, value in options.items() if key in OWNER_KEYS})
            other, theirs = declared.setdefault(path, (str(stack.get("name")), owner))
            if theirs != owner:
                report.add(where, "stack {0!r} declares it as {1}, and each would undo what the other does; write the same".format(other, theirs))


def _path_problems(report: Report, where: str, path: t.Any) -> bool:
    if not isinstance(path, str) or not path.startswith("/"):
        text = "value {0} is not an absolute path; write one"
    elif posixpath.normpath(path) != path or path.startswith("//"):
        text = "value {0} is not written plainly; leave out '.', '..', doubled and trailing '/'"
    elif path == "/" or path in _SYSTEM:
        text = "{0} is the host's own, and another owner would break it; give the stack a directory in it"
    elif any((path + "/").startswith(place + "/") for place in _NEVER_IN):
        text = "{0} is looked after by others; choose a place of its own, such as /srv/NAME"
    else:
        return True
    report.add(where, text.format(shown(path)))
    return False
