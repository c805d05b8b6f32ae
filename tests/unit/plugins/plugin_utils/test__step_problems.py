# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from ansible_collections.portside.stack.plugins.plugin_utils._steps import normalised_steps
from declarations import ANYTHING
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DB = {"image": "postgres:17", "environment": {"POSTGRES_USER": "owner", "POSTGRES_DB": "shop"}}
SERVICES = {
    "api": {"image": "x", "depends_on": ["pool"]},
    "pool": {"image": "x", "depends_on": ["db"]},
    "db": DB,
    "other": {"image": "postgres:17"},
    "job": {"image": "x", "restart": "no"},
    "off": {"image": "x", "profiles": ["p"]},
}
STEP = {"name": "migrate", "service": "api", "command": "manage migrate", "before": "activate"}


def stack(*steps, services=SERVICES):
    return {"name": "shop", "services": services, "steps": list(steps)}


def step(without=(), **keys):
    return {key: value for key, value in {**STEP, **keys}.items() if key not in without}


BAD = {
    "no mapping": ("migrate", ["'migrate'", "mapping"]),
    "no name": (step(["name"]), ["no name"]),
    "name": (step(name="a b"), ["'a b'", "letters"]),
    "name that is too long": (step(name="a" * 42), ["at most 41"]),
    "name with a path": (step(name="../x"), ["letters"]),
    "no service": (step(["service"]), ["no service"]),
    "service": (step(service="apl"), ["'apl'", "did you mean 'api'?"]),
    "service that is off": (step(service="off"), ["'off'", "profiles"]),
    "no command": (step(["command"]), ["no command"]),
    "open quote": (step(command="sh -c 'x"), ["command", "quotes"]),
    "empty command": (step(command=[]), ["command []"]),
    "command of mappings": (step(command=[{"a": 1}]), ["list of words"]),
    "command with a flag": (step(command=["x", True]), ["list of words"]),
    "doubled dollar": (step(command=["sh", "-c", "echo $$HOME"]), ["command", "single $"]),
    "doubled dollar in a check": (step(check="echo $$x"), ["check", "single $"]),
    "no moment": (step(["before"]), ["does not say when"]),
    "two moments": (step(after="activate"), ["both before and after"]),
    "moment": (step(before="verify"), ["before 'verify'", "write before: activate"]),
    "timeout": (step(timeout=0), ["timeout 0", "write 600"]),
    "timeout that is a flag": (step(timeout=True), ["timeout true"]),
    "timeout with a unit": (step(timeout="10s"), ["timeout '10s'"]),
    "rerun": (step(rerun="sometimes"), ["rerun 'sometimes'"]),
    "once": (step(once=1), ["once 1"]),
    "schema": (step(schema="maybe"), ["schema 'maybe'", "auto nor none"]),
    "key": (step(tiemout=5), ["'tiemout'", "did you mean 'timeout'?"]),
    "dump": (step(dump="db"), ["steps[0].dump", "mapping"]),
    "dump of nobody": (step(dump={"service": "dbb"}), ["steps[0].dump", "did you mean 'db'?"]),
    "dump without a service": (step(dump={"database": "x"}), ["steps[0].dump", "no service"]),
    "dump of what the step does not need": (step(dump={"service": "other"}), ["'api' does not depend on 'other'"]),
    "dump of a database with a path": (step(dump={"service": "db", "database": "a/b"}), ["'a/b'", "plain name"]),
    "dump key": (step(dump={"service": "db", "databse": "x"}), ["did you mean 'database'?"]),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_cannot_work_is_one_problem_that_says_where_why_and_what_to_do(fault):
    declared, words = BAD[fault]
    (problem,) = stack_problems([stack(declared)])
    assert problem.startswith("stack 'shop', key 'steps[0]" if isinstance(declared, dict) else "stack 'shop'")
    for word in words:
        assert word in problem


def test_a_dump_of_a_one_shot():
    services = dict(SERVICES, api={"image": "x", "depends_on": ["job"]})
    (problem,) = stack_problems([stack(step(dump={"service": "job"}), services=services)])
    assert "one-shot" in problem


def test_two_steps_of_one_name_would_share_a_container():
    (problem,) = stack_problems([stack(step(), step(command="x"))])
    assert "steps[1]" in problem
    assert "two steps are named 'migrate'" in problem


def test_a_database_whose_name_is_in_a_file_has_to_be_named():
    hidden = dict(SERVICES, db={"image": "postgres:17", "environment": {"POSTGRES_USER_FILE": "/run/secrets/u"}})
    problems = stack_problems([stack(step(dump={"service": "db"}), services=hidden)])
    assert [word for word in ("no user", "no database") if not any(word in problem for problem in problems)] == []
    assert stack_problems([stack(step(dump={"service": "db", "user": "a", "database": "b"}), services=hidden)]) == []


GOOD = {
    "least": step(),
    "after": step(["before"], after="activate"),
    "all": step(timeout="30", rerun=True, once=False, check=["a", 1], schema="none", schema_command="x", dump={"service": "db"}),
    "dollar for a shell": step(command=["sh", "-c", "echo $HOME"]),
    "unset": step(check=None, dump=None, timeout=None),
}


@pytest.mark.parametrize("case", GOOD)
def test_what_works_has_no_problem(case):
    assert stack_problems([stack(GOOD[case])]) == []


def test_a_step_is_recorded_with_every_key():
    (found,) = normalised_steps(stack(step(dump={"service": "db"}, check=None)))
    assert found == {
        "name": "migrate",
        "service": "api",
        "command": ["manage", "migrate"],
        "when": "before",
        "timeout": 600,
        "rerun": False,
        "check": None,
        "once": False,
        "dump": {"service": "db", "database": "shop", "user": "owner"},
        "schema": "auto",
        "schema_command": None,
    }


def test_commands_are_split_as_a_shell_does_and_numbers_are_words():
    steps = [step(command="psql -c 'select 1'  \"a b\""), step(name="b", command=["sleep", 5], check="a b", timeout="7")]
    first, second = normalised_steps(stack(*steps))
    assert first["command"] == ["psql", "-c", "select 1", "a b"]
    assert (second["command"], second["check"], second["timeout"]) == (["sleep", "5"], ["a", "b"], 7)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, ("postgres", "postgres")), ({"POSTGRES_USER": "u"}, ("u", "u")), (["POSTGRES_DB=d"], ("d", "postgres"))],
)
def test_database_and_user_are_those_that_the_image_makes(environment, expected):
    services = dict(SERVICES, db={"image": "postgres:17", "environment": environment})
    (found,) = normalised_steps(stack(step(dump={"service": "db"}), services=services))
    assert (found["dump"]["database"], found["dump"]["user"]) == expected


KEYS = ["name", "service", "command", "before", "after", "timeout", "rerun", "once", "check", "dump", "schema", "schema_command"]


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ANYTHING | st.dictionaries(st.sampled_from(KEYS), ANYTHING | st.just({"service": "db"}), max_size=8), max_size=3))
def test_anything_at_all_is_judged_without_falling_and_what_passes_is_recorded(steps):
    declared = stack(*steps)
    if not stack_problems([declared]):
        assert all(found["command"] for found in normalised_steps(declared))
