# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of Compose's key `build`.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import posixpath
import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.portside.stack.plugins.module_utils._build_source import git_source, is_git
from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model
from ansible_collections.portside.stack.plugins.plugin_utils._builds import BUILD_KEYS, build_of
from ansible_collections.portside.stack.plugins.plugin_utils._report import Report, did_you_mean, shown

_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Names that say by themselves that the value is a secret.
_SECRET = re.compile(r"(?:\A|_)(?:PASSWORD|PASSWD|PASSPHRASE|TOKEN|SECRET|PRIVATE_KEY|API_?KEY|ACCESS_KEY|CREDENTIALS?)\Z", re.IGNORECASE)
_REFERENCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]*")
_HOSTED = re.compile(r"(?:github|gitlab|bitbucket|codeberg)\.(?:com|org)/")


def build_problems(report: Report, service: model.Mapping) -> None:
    """Judges the `build` of one service."""
    if "build" not in service:
        return
    if not isinstance(service["build"], (str, dict)):
        report.add("build", "value {0} is neither a place nor a mapping; write {{context: ...}}".format(shown(service["build"])))
        return
    for key, value in model.mapping(service["build"]).items():
        if key not in BUILD_KEYS:
            hint = did_you_mean(key, BUILD_KEYS) or "write that into the Dockerfile, or leave it out"
            report.add("build.{0}".format(key), "carried out are {0}, and nothing else; {1}".format(", ".join(BUILD_KEYS), hint))
        elif key != "args" and not isinstance(value, str):
            report.add("build.{0}".format(key), "value {0} is not text; quote it".format(shown(value)))
    build = build_of(service)
    _context_problems(report, build.get("context"))
    _argument_problems(report, build.get("args"))
    dockerfile = build.get("dockerfile")
    if isinstance(dockerfile, str) and (dockerfile.startswith("/") or not _is_inside(dockerfile)):
        report.add("build.dockerfile", "{0} is not in the context; write its path from there".format(shown(dockerfile)))
    image = service.get("image")
    if isinstance(image, str) and "@" in image:
        report.add("image", "its digest is that of another image than the one that `build` makes; leave the digest out, or `build`")


def shared_image_problems(report: Report, services: t.Dict[str, model.Mapping]) -> None:
    """Judges whether one image name means one build."""
    first: t.Dict[str, str] = {}
    for name, service in services.items():
        if "build" in service and isinstance(service.get("image"), str):
            other = first.setdefault(service["image"], name)
            if _subject(service) != _subject(services[other]):
                report.of(name).add("image", "{0} is built for {1!r} in another way; leave `image` out, or choose another name".format(service["image"], other))


def _subject(service: model.Mapping) -> t.Tuple[t.Any, t.Any]:
    return build_of(service), service.get("platform")


def _context_problems(report: Report, context: t.Any) -> None:
    key = "build.context"
    if context is None:
        report.add(key, "missing, so there is nothing to build from; write a git URL or a directory")
    elif not isinstance(context, str):
        return
    elif is_git(context):
        _git_problems(report, key, context)
    elif _HOSTED.match(context):
        report.add(key, "{0} reads as a directory; write https://{1}".format(shown(context), context))
    elif context.startswith("~"):
        report.add(key, "{0} is somebody's home, and who that is differs; write a path that begins with /, or a relative one".format(shown(context)))
    elif not context or "\0" in context or "://" in context:
        report.add(key, "{0} is no place to build from; write a git URL or a directory".format(shown(context)))
    elif not context.startswith("/") and posixpath.normpath(context) == ".":
        report.add(key, "{0} is the inventory itself, with whatever secrets lie in it; name the directory of the application".format(shown(context)))


def _git_problems(report: Report, key: str, context: str) -> None:
    source = git_source(context)
    try:
        url = urlsplit(source.url)
    except ValueError as error:
        report.add(key, "{0} is no URL ({1}); correct it".format(shown(source.url), error))
        return
    if url.password or url.scheme in ("http", "https") and url.username:
        report.add(
            key,
            "the URL has a password or token in it, which everybody may read; take it out, and let git on the host have it "
            "(a credential helper, a deploy key)",
        )
    if source.ref and not _REFERENCE.fullmatch(source.ref):
        report.add(key, "{0} is not the name of a branch, tag or commit; write #REF".format(shown(source.ref)))
    if not _is_inside(source.directory):
        report.add(key, "{0} is not in the repository; write #REF:DIRECTORY".format(shown(source.directory)))


def _is_inside(path: str) -> bool:
    return not posixpath.normpath(path).startswith("..")


def _argument_problems(report: Report, given: t.Any) -> None:
    if given is not None and not isinstance(given, (dict, list)):
        report.add("build.args", "value {0} is not a mapping; write {{NAME: value}}".format(shown(given)))
    for item in model.sequence(given):
        if not isinstance(item, str):
            report.add("build.args", "value {0} is not text; write NAME=value, or a mapping".format(shown(item)))
    for name, value in model.pairs(given).items():
        key = "build.args.{0}".format(name)
        if not _ARGUMENT.fullmatch(name):
            report.add(key, "{0!r} is not the name of an argument; use letters, digits and _".format(name))
        elif value is None:
            report.add(key, 'no value, so it would be read from the environment of whoever builds; write a value, or ""')
        elif isinstance(value, (bool, dict, list)):
            report.add(key, "value {0} is not text; quote it".format(shown(value)))
        elif _SECRET.search(name) and value != "":
            report.add(
                key,
                "an argument stays readable in the image's history, and this one is named like a secret; give the service "
                "the secret when it runs (`secrets`)",
            )
