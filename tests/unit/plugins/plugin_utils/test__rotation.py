# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which secrets are meant, and which of them cannot be made anew."""

from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._rotation import rotated_secrets, rotation_problems

STACKS = [
    {
        "name": "shop",
        "services": {
            "db": {"environment": {"POSTGRES_PASSWORD_FILE": "/run/secrets/pw"}, "secrets": [{"source": "db_password", "target": "pw"}]},
            "api": {"environment": ["API_KEY_FILE=/run/secrets/db_password"], "secrets": ["key", "common", "stripe"]},
            "mongo": {"environment": {"MONGO_INITDB_ROOT_PASSWORD": "key"}, "secrets": ["key"]},
        },
        "secrets": {
            "db_password": {"generate": 32},
            "key": {"generate": 32},
            "common": {"generate": 32},
            "idle": {"generate": 32},
            "stripe": {},
            "url": {"template": "postgresql://{key}@db"},
            "root_password": {"generate": 32},
            "app": {"generate": 32, "login": {"service": "db", "role": "shop"}},
        },
        "secret_environment": {"mongo": {"MONGO_INITDB_ROOT_PASSWORD": "root_password"}, "api": {"API_KEY": "key", "POSTGRES_PASSWORD": "app"}},
    },
    {"name": "blog", "services": {"web": {"secrets": ["common"]}}, "secrets": {"common": {"generate": 32}, "salt.v": None}},
    "no stack",
]
VALUED = {"shop": ["stripe"], "blog": ["salt.v"]}


def test_names_are_sorted_by_stack():
    assert rotated_secrets(STACKS, "key, shop/common,,blog/common") == {"shop": ["key", "common"], "blog": ["common"]}
    assert rotated_secrets(STACKS, ["key"]) == {"shop": ["key"]}
    assert rotated_secrets(STACKS, "") == {} == rotated_secrets(STACKS, [])
    assert rotated_secrets(STACKS, 7) == {} == rotated_secrets(STACKS, [None])
    assert not rotation_problems(STACKS, "key,app,shop/common,blog/common", VALUED)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("kye", ["'kye' is no secret", "did you mean 'key'?"]),
        ("other/key", ["'other/key' is no secret"]),
        ("common", ["more than one secret", "write one of shop/common, blog/common."]),
        ("idle", ["stack 'shop', key 'secrets.idle'", "cannot be rotated, since no service uses it."]),
        ("stripe", ["stack 'shop', key 'secrets.stripe'", "cannot be rotated", "its value is in stack_secrets; change it there."]),
        ("salt.v", ["stack 'blog'", "no service uses it"]),
        ("url", ["composed of others"]),
        ("db_password", ["service 'db' reads it as POSTGRES_PASSWORD", "only while the volume is empty", "`login`"]),
        ("root_password", ["service 'mongo' reads it as MONGO_INITDB_ROOT_PASSWORD, which counts only while"]),
    ],
)
def test_what_cannot_be_rotated_is_named(wish, words):
    (problem,) = rotation_problems(STACKS, wish, VALUED)
    assert not [word for word in words if word not in problem], problem
