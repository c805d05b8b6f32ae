# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check of an HTTP or HTTPS answer: status, redirect, headers, body.

Redirects are not followed, and no proxy is used: what is judged is what the address itself answers.
This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import http.client
import re
import typing as t

from ansible_collections.portside.stack.plugins.module_utils._check_model import REDIRECTS, Check
from ansible_collections.portside.stack.plugins.module_utils._external_stream import Failure
from ansible_collections.portside.stack.plugins.module_utils._probe_connection import asked
from ansible_collections.portside.stack.plugins.module_utils._probe_world import Objection, World

BODY_LIMIT = 64 * 1024


def probe_http(check: Check, world: World, until: float) -> None:
    """Raises Objection unless the answer is the one that is asked for."""
    options = check.options
    with asked(check, world, until, options["method"], options["headers"]) as answer:
        _judge_status(options, answer)
        _judge_headers(options, answer)
        if "body" in options:
            body = read_body(answer)
            if not re.search(options["body"], body):
                raise Objection("status {0}, but the body does not match {1!r}".format(answer.status, options["body"]), body)


def _judge_status(options: t.Mapping[str, t.Any], answer: http.client.HTTPResponse) -> None:
    location = options.get("location")
    wanted = [options["status"]] if "status" in options else [200] if location is None else REDIRECTS
    if answer.status not in wanted:
        what = wanted[0] if len(wanted) == 1 else "a redirect"
        raise Objection("status {0} instead of {1}, body".format(answer.status, what), read_body(answer))
    if location is not None:
        target = answer.headers.get("Location")
        if target is None:
            raise Objection("status {0}, but it leads nowhere: there is no header Location".format(answer.status))
        if not re.search(location, target):
            # What follows the path may be for the visitor alone.
            shown = re.split(r"[?#]", target, maxsplit=1)[0]
            raise Objection("status {0}, but it leads to a place that does not match {1!r}".format(answer.status, location), shown)


def _judge_headers(options: t.Mapping[str, t.Any], answer: http.client.HTTPResponse) -> None:
    for name, pattern in options["response_headers"].items():
        values = answer.headers.get_all(name)
        if values is None:
            raise Objection("status {0}, but there is no header {1}".format(answer.status, name))
        if not re.search(pattern, ", ".join(values)):
            # A value may be a session: it is not shown.
            raise Objection("status {0}, but header {1} does not match {2!r}".format(answer.status, name, pattern))


def read_body(answer: http.client.HTTPResponse) -> str:
    """What comes until the time of this try is over: a stream need not end."""
    body = b""
    try:
        while len(body) < BODY_LIMIT:
            chunk = answer.read1(BODY_LIMIT)
            if not chunk:
                break
            body += chunk
    except Failure as error:
        if error.outcome != "timeout":
            raise
    return body[:BODY_LIMIT].decode("utf-8", "replace")
