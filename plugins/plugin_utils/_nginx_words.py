# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every configuration of nginx says here: paths that are refused, headers that nobody but the proxy may say.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

# The table in RFC 3629, section 4, without U+FFFD.
_UTF_8 = (
    r"[\x00-\x7f]++",
    r"[\xc2-\xdf][\x80-\xbf]",
    r"\xe0[\xa0-\xbf][\x80-\xbf]",
    r"[\xe1-\xec\xee][\x80-\xbf]{2}",
    r"\xed[\x80-\x9f][\x80-\xbf]",
    r"\xef(?!\xbf\xbd)[\x80-\xbf]{2}",
    r"\xf0[\x90-\xbf][\x80-\xbf]{2}",
    r"[\xf1-\xf3][\x80-\xbf]{3}",
    r"\xf4[\x80-\x8f][\x80-\xbf]{2}",
)
# What a decoded path has to be.
SOUND_PATH = '"^(?:{0})*+\\z"'.format("|".join(_UTF_8))
BROKEN = "# Paths that are no UTF-8, such as overlong forms of a slash, or have the character that stands for such."
# What a request's target must not be, by the reason.
# Behind the 400s stand differences between nginx, which resolves these before it chooses a location, cloudflared,
# which does not, and services, each of which does as it likes.
REFUSED = (
    (
        "# An empty segment, or . or .. as one, also with parameters, which some services take off first; a fragment.",
        ('"^[^?]*//"', '"^[^?]*/(?:;|%3[bB])[^/?]*/"', '"^[^?]*/\\.\\.?(?:[/?;]|%3[bB]|\\z)"', '"^[^?]*#"'),
    ),
    ("# A backslash, which some take for a slash.", ('"^[^?]*(?:\\x5c|%5[cC])"',)),
    (
        "# An encoded slash, dot or control character; an escape that is none.",
        ('"^[^?]*%(?:2[fFeE]|[01][0-9a-fA-F]|7[fF])"', '"^[^?]*%(?![0-9a-fA-F][0-9a-fA-F])"'),
    ),
)
WEBSOCKET_ALONE = "# No other protocol: in HTTP/2 a client would ask the service for paths that no route has seen."
# What services take for the word of the proxy in front of them, which this one does not say.
UNBELIEVED = (
    "Forwarded",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Protocol",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Client-IP",
    "X-Original-URL",
    "X-Rewrite-URL",
    "Proxy",
)
# What services behind Cloudflare and others alike take for the client's address.
CLIENT_ADDRESS = ("CF-Connecting-IP", "True-Client-IP")
