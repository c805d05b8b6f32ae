# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things of an edge are: what its configuration, made on the controller, says and what the host goes by.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

# The directory of the edge, as its container sees it, and what is in it.
MOUNT = "/etc/portside"
CONFIG = "nginx.conf"
CERTIFICATES = "certificates"
WEBROOT = "acme"
SELF_SIGNED = "self-signed.pem"
# What it answers by itself: challenges for certificates, and by which it is seen to serve a configuration.
CHALLENGES = "/.well-known/acme-challenge/"
OWN = "/.well-known/portside/"
