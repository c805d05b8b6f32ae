# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every filter needs: plain values in, Ansible's own error out.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t
from functools import wraps

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError


def untag(value: t.Any) -> t.Any:
    """The same value in Python's own types.

    ansible-core 2.19+ hands over tagged subclasses and lazy containers, which
    YAML refuses to write. What is no data type (a vaulted value, a date)
    passes: whoever knows its path reports it.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return "".join(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, t.Mapping):
        return {untag(key): untag(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [untag(item) for item in value]
    return value


def as_filter(function: t.Callable[..., t.Any], foreign: bool = False) -> t.Callable[..., t.Any]:
    """That pure function as a filter; ``foreign`` where a host's own words come out, which before ansible-core 2.19 could be taken for templates."""

    @wraps(function)
    def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
        try:
            found = function(*untag(args), **untag(kwargs))
            return wrap_var(found) if foreign else found
        except StackError as error:
            raise AnsibleFilterError(str(error)) from error

    return call
