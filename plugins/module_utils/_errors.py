# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of the collection's own code.

This module util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations


class StackError(Exception):
    """A refusal or failure to show to the user as it is: names what, why and the remedy."""
