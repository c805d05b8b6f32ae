"""What a declaration lacks, or has in the wrong way, is said all at once, and nothing is touched."""

from __future__ import annotations

import re

import pytest
from entrusted import problems

DEBUG = {"services": {"api": {"environment": {"DJANGO_DEBUG": "true"}}}}
WAIVER = {"rule": "debug", "service": "api", "reason": "a rehearsal for an hour"}
FAULTY = {
    "services": {
        "api": {
            "environment": {
                "DJANGO_DEBUG": "true",
                "DJANGO_ALLOWED_HOSTS": "*",
                "CORS_ALLOW_ALL_ORIGINS": "true",
                "MAIL_HOST": "your-mail-host",
                "MAIL_FROM": "",
                "STRIPE_API_KEY": "sk_live_51Hb2kFqTzY",
            }
        },
        "cache": {"image": "redis:8.0"},
        "copy": {"image": "postgres:17", "environment": {"POSTGRES_HOST_AUTH_METHOD": "trust"}},
    },
    "required_environment": {"api": {"mail": ["MAIL_HOST", "MAIL_FROM", "SMTP_USER|SMTP_LOGIN"]}},
    "secrets": {"short": {}},
    "secret_environment": {"api": {"SECRET_KEY": "short"}},
}
# What has to be named in one and the same problem.
SAID = {
    "debug flag": (r"DJANGO_DEBUG", r"rule: debug"),
    "allowed hosts": (r"DJANGO_ALLOWED_HOSTS", r"rule: allowed_hosts"),
    "cors origins": (r"CORS_ALLOW_ALL_ORIGINS", r"rule: cors_origins"),
    "redis": (r"cache", r"rule: redis_password"),
    "database": (r"copy", r"rule: database_password"),
    "plain secret": (r"STRIPE_API_KEY", r"rule: plain_secrets"),
    "placeholder": (r"MAIL_HOST", r"group 'mail'", r"nobody chose"),
    "empty": (r"MAIL_FROM", r"group 'mail'", r"is empty"),
    "missing": (r"SMTP_USER or SMTP_LOGIN", r"group 'mail'", r"is missing"),
    "weak secret": (r"short", r"rule: secret_key"),
    "template's secret": (r"secrets.banner", r"never chosen"),
}
VALUES = {"banner": "changeme", "short": "8fGh2kLq"}


@pytest.fixture(scope="module")
def found(notes):
    before = notes.started(), notes.files(), notes.history()
    done = notes.deploy(stack_overrides={"notes": FAULTY}, notes_values=VALUES)
    assert done.code != 0
    assert (notes.started(), notes.files(), notes.history()) == before
    assert "Nothing was touched" in done.output
    for value in ("8fGh2kLq", "sk_live_51Hb2kFqTzY"):
        assert value not in done.output
    return [line for line in problems(done.output) if line.startswith("- stack 'notes'")]


@pytest.mark.parametrize("fault", SAID)
def test_each_fault_is_named_in_the_one_run(found, fault):
    assert len([line for line in found if all(re.search(words, line) for words in SAID[fault])]) == 1, "\n".join(found)


def test_nothing_else_is_found_fault_with(found):
    assert len(found) == len(SAID), "\n".join(found)


def test_waivers_that_cannot_stand_are_refused_all_at_once(notes):
    waivers = [{**WAIVER, "reason": " "}, {**WAIVER, "rule": "debgu"}, {**WAIVER, "rule": "cors_origins"}]
    done = notes.deploy(stack_overrides={"notes": {**DEBUG, "waivers": waivers}})
    assert done.code != 0
    assert not done.lacks(r"waivers\[0\].*reason", r"waivers\[1\].*did you mean 'debug'", r"waivers\[2\].*nothing to waive"), done.output


def test_a_waiver_with_a_reason_passes(notes):
    done = notes.deploy("--check", "--diff", stack_overrides={"notes": {**DEBUG, "waivers": [WAIVER]}})
    assert done.code == 0, done.output
    assert not done.lacks("api", "recreate"), done.output
