# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from ansible_collections.portside.stack.plugins.plugin_utils._compose_document import compose_document
from ansible_collections.portside.stack.plugins.plugin_utils._entry_wrapper import (
    WRAPPER,
    visible_variables,
    with_entry_wrapper,
    wrapped_services,
)
from ansible_collections.portside.stack.plugins.plugin_utils._stack_problems import stack_problems
from ansible_collections.portside.stack.plugins.plugin_utils._used_secrets import secret_files_options
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

# Whatever of these the machine has; a Debian has the first two, an Alpine the third.
CANDIDATES = {"dash": ["dash"], "bash as sh": ["bash", "--posix"], "busybox": ["busybox", "sh"], "mksh": ["mksh"]}
SHELLS = {name: argv for name, argv in CANDIDATES.items() if shutil.which(argv[0])}
PROGRAM = [sys.executable, "-SE", "-c", "import os, sys; sys.stdout.buffer.write(b'|'.join(os.environb[name] for name in (b'V', b'W')))"]
FRONT = ["/bin/sh", "/portside/environment", "URL=/run/secrets/url", "--"]
FACTS = {
    "entrypoint": ["/entry", "$x"],
    "command": ["serve", "a b"],
    "healthcheck": {"Test": ["CMD-SHELL", "curl $HOST"], "Interval": 5},
    "shell_form": [],
    "uid": 10001,
    "gid": 10002,
    "shell": True,
}


def stack(service=None, variables=None, **rest):
    services = {"api": dict({"image": "x"}, **(service or {}))}
    return dict(
        {
            "name": "shop",
            "services": services,
            "secrets": {"url": {}, "key": {}},
            "secret_environment": {"api": variables or {"URL": "url"}},
        },
        **rest,
    )


def wrapped(service=None, variables=None, facts=FACTS):
    declared = stack(service, variables)
    assert not stack_problems([declared], {"shop": ["url", "key"]})
    return with_entry_wrapper(declared, {"api": facts} if facts else None)["services"]["api"]


@pytest.fixture(name="environment", params=["C", "C.UTF-8"])
def environment_fixture(request):
    return {"PATH": os.environ["PATH"], "LC_ALL": request.param}


@pytest.fixture(name="run")
def run_fixture(tmp_path, environment):
    script = tmp_path / "environment"
    script.write_text(WRAPPER)
    files = {name: tmp_path / name for name in ("first", "second")}

    def run(shell, first, second=b"", arguments=None):
        files["first"].write_bytes(first)
        files["second"].write_bytes(second)
        settings = ["V={first}".format(**files), "W={second}".format(**files)]
        argv = [*SHELLS[shell], str(script), *settings, "--"] if arguments is None else [*SHELLS[shell], str(script), *arguments]
        return subprocess.run([*argv, *(PROGRAM if arguments is None else [])], env=environment, capture_output=True, check=False)

    return run


# What shells keep for themselves in a text (bytes 0x81 to 0x88 in dash, 0x01 and 0x7f in bash), and what they act on.
HARD = st.text(st.sampled_from("\n\n\t \\$`'\"~*?[#!=-n\r\x01\x7f\x80\x81\x82\x88\x9f\xa0é€🙂"), max_size=30)
VALUES = st.one_of(HARD, st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)).map(str.encode)


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(VALUES, VALUES)
@example(b"", b"\n")
@example(b"no newline", b"one\n")
@example(b"\n\n\n", b"a\n\n\nb\n\n")
@example(b"back\\\nslash\\", b"-n\n")
@example(b"a" * 5000 + b"\n", b"%s $HOME $(id) `id`")
@example("".join(map(chr, range(0x80, 0x100))).encode(), "".join(map(chr, range(1, 0x80))).encode())
def test_the_program_gets_what_is_in_the_files_byte_for_byte(run, shell, first, second):
    ended = run(shell, first, second)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, first + b"|" + second, b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_program_gets_its_arguments_and_nothing_more(run, shell):
    echo = [sys.executable, "-c", "import os, sys; print(sys.argv[1:], sorted(set(os.environ) - {'PWD', 'OLDPWD', 'SHLVL', '_'}))"]
    ended = run(shell, b"", arguments=["--", *echo, "a b", "", "$x", "--", "*"])
    assert ended.stdout.decode().strip() == "['a b', '', '$x', '--', '*'] ['LC_ALL', 'PATH']"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_that_is_missing_ends_it_with_its_name_and_no_value(run, shell, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in ("/no/such", tmp_path / "folder"):
        ended = run(shell, b"value", arguments=["V={0}/first".format(tmp_path), "KEY={0}".format(path), "--", "echo", "ran"])
        assert ended.returncode == 78
        assert ended.stdout == b""
        assert ended.stderr.decode() == "portside: variable KEY: this user cannot read its file {0}\n".format(path)


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_to_run_is_an_error(run, shell):
    ended = run(shell, b"", arguments=["--"])
    assert ended.returncode == 78
    assert b"names a program" in ended.stderr


@pytest.mark.parametrize(
    ("service", "entrypoint", "command"),
    [
        ({}, ["/entry", "$$x"], ["serve", "a b"]),
        ({"command": ["other", "$$y"]}, ["/entry", "$$x"], ["other", "$$y"]),
        ({"command": "other 'a b' $$y"}, ["/entry", "$$x"], ["other", "a b", "$$y"]),
        ({"command": []}, ["/entry", "$$x"], ["serve", "a b"]),
        ({"entrypoint": ["mine"]}, ["mine"], None),
        ({"entrypoint": "mine -v", "command": ["c"]}, ["mine", "-v"], ["c"]),
        ({"entrypoint": []}, [], ["serve", "a b"]),
        ({"entrypoint": "", "command": "c"}, [], ["c"]),
    ],
)
def test_the_image_and_the_service_are_put_together_as_the_engine_does(service, entrypoint, command):
    found = wrapped(service)
    assert found["entrypoint"] == FRONT + entrypoint
    assert found.get("command") == command


def test_without_facts_there_is_what_the_service_declares():
    found = wrapped(facts=None)
    assert found["entrypoint"] == FRONT
    assert "command" not in found and "healthcheck" not in found
    assert found["secrets"] == [{"source": "url", "uid": 0, "gid": 0}]


IMAGES_CHECK = ["CMD", *FRONT, "/bin/sh", "-c", "curl $$HOST"]


@pytest.mark.parametrize(
    ("declared", "facts", "expected"),
    [
        (None, {}, {"test": IMAGES_CHECK}),
        ({"interval": "9s"}, {}, {"interval": "9s", "test": IMAGES_CHECK}),
        ({"test": ["CMD", "pg_isready", "$$A"]}, {}, {"test": ["CMD", *FRONT, "pg_isready", "$$A"]}),
        ({"test": "a | b"}, {}, {"test": ["CMD", *FRONT, "/bin/sh", "-c", "a | b"]}),
        ({"test": ["CMD-SHELL", "a"]}, {"shell_form": ["/bin/bash", "-eu", "-c"]}, {"test": ["CMD", *FRONT, "/bin/bash", "-eu", "-c", "a"]}),
        ({"test": ["NONE"]}, {}, {"test": ["NONE"]}),
        ({"test": "NONE"}, {}, {"test": "NONE"}),
        ({"disable": True}, {}, {"disable": True}),
        (None, {"healthcheck": None}, None),
        (None, {"healthcheck": {"Test": ["NONE"]}}, None),
    ],
)
def test_the_health_check_that_applies_is_wrapped(declared, facts, expected):
    service = {"healthcheck": declared} if declared else {}
    assert wrapped(service, facts=dict(FACTS, **facts)).get("healthcheck") == expected


def test_what_depends_on_it_waits_as_declared_whatever_its_image_checks():
    declared = stack()
    declared["services"]["web"] = {"image": "y", "depends_on": ["api"]}
    document = compose_document(declared, image_facts={"api": FACTS})
    assert document["services"]["web"]["depends_on"] == {"api": {"condition": "service_started"}}


def test_the_secret_is_read_by_whom_the_image_runs_as_unless_it_is_said():
    assert wrapped()["secrets"] == [{"source": "url", "uid": 10001, "gid": 10002}]
    given_uid = {"URL": {"secret": "url", "uid": "70"}, "SAME": "url", "KEY": "key"}
    assert wrapped(variables=given_uid)["secrets"] == [
        {"source": "url", "uid": 70, "gid": 10002},
        {"source": "key", "uid": 10001, "gid": 10002},
    ]


def test_a_mount_at_its_own_name_is_used_and_another_one_is_not():
    own = [{"source": "url", "uid": 5, "target": None}]
    assert wrapped({"secrets": own})["secrets"] == own
    other = [{"source": "url", "target": "elsewhere"}]
    assert wrapped({"secrets": other})["secrets"] == other + [{"source": "url", "uid": 10001, "gid": 10002}]


def test_the_document_mounts_the_wrapper_and_the_secret_and_shows_no_more():
    document = compose_document(stack(), None, {"url": 4}, image_facts={"api": FACTS})
    service = document["services"]["api"]
    (config,) = service["configs"]
    assert config["target"] == "/portside/environment"
    assert document["configs"][config["source"]]["file"].endswith("/_environment")
    assert service["secrets"] == [{"source": "url_v4-10001-10002-0400", "target": "url"}]
    assert document["x-portside"]["secret_environment"] == ["api"]
    assert "environment" not in service and "env_file" not in service


def test_without_versions_each_secret_has_its_first():
    assert list(compose_document(stack())["secrets"]) == ["url_v1"]


def test_a_visible_variable_is_read_from_a_file_by_compose_and_nothing_is_wrapped():
    declared = stack(variables={"URL": {"secret": "url", "visible": True}})
    document = compose_document(declared, "/srv/shop", {"url": 3})
    assert document["services"]["api"]["env_file"] == ["/srv/shop/secrets/url/3.URL.env"]
    assert not {"entrypoint", "secrets", "configs"} & set(document["services"]["api"])
    assert "secret_environment" not in document["x-portside"]
    assert secret_files_options(declared) == {"url": {"files": [{"uid": 0, "gid": 0, "mode": "0400", "variable": "URL"}]}}
    assert [one.name for one in visible_variables(declared)["api"]] == ["URL"]
    newer = compose_document(declared, "/srv/shop", {"url": 4})["services"]["api"]["labels"]
    assert newer != document["services"]["api"]["labels"], "a rotation calls for a new container"


def test_what_does_not_run_is_neither():
    declared = stack({"profiles": ["later"]}, {"URL": "url", "KEY": {"secret": "key", "visible": True}})
    assert wrapped_services(declared) == [] and visible_variables(declared) == {}


def test_a_stack_without_it_is_left_as_it_is():
    declared = {"name": "shop", "services": {"api": {"image": "x"}}}
    assert with_entry_wrapper(declared) is declared
