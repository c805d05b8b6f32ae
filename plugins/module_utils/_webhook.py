# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a host tells what changed, by a POST of JSON. The URL is a secret: its path lets in whoever knows it.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import http.client
import json
import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

WEBHOOK = "/etc/portside/webhook"
_URL = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?(?:[/?][!-~]*)?\Z")
_TIMEOUT = 10.0


def check_webhook(url: str) -> None:
    """Refuse what nothing can be sent to, without saying what it is."""
    if not _URL.match(url) or "#" in url:
        raise StackError(
            "firewall_watch_webhook is not a URL of a webhook; it is a secret, so it is not shown here. Remedy: write it as "
            "https://HOST/PATH, without a user or a password before the host, and with what is not ASCII percent-encoded."
        )


def read_webhook(fs: FileSystem, root: str = "") -> str:
    """The URL that the host has; empty where there is none."""
    if not fs.lstat(root + WEBHOOK):
        return ""
    try:
        url: t.Any = json.loads(fs.read(root + WEBHOOK).decode("utf-8"))
    except ValueError:
        url = ""
    if not isinstance(url, str) or not _URL.match(url):
        raise StackError("{0} is not what the role firewall writes. Remedy: run it again.".format(root + WEBHOOK))
    return url


def post(url: str, value: t.Any) -> None:
    """Send a value. Raises StackError, which says of the URL no more than the host."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT)
        try:
            path = (parts.path or "/") + ("?" + parts.query if parts.query else "")
            headers = {"Content-Type": "application/json", "Connection": "close"}
            connection.request("POST", path, json.dumps(value).encode("utf-8"), headers)
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        # Others of their words may have the path.
        why = getattr(error, "strerror", None) or type(error).__name__
        raise StackError("the webhook at {0} was not reached: {1}".format(parts.hostname, why)) from None
    if not 200 <= status < 300:
        raise StackError("the webhook at {0} answered {1}".format(parts.hostname, status))
