# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong in a deploy, as data, and what has to hold afterwards, once."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import re
import signal
import subprocess
import typing as t

from deploys import DIRECTORY, HOST, SECRET, Notes, bed, new_release
from playbook import Playbook
from registry import Registry


@dataclasses.dataclass(frozen=True)
class Fault:
    """A deploy that cannot succeed."""

    # What is deployed, and what the error has to say.
    deploy: dict
    says: tuple[str, ...]
    # The stage that history names; without one the deploy was refused, and nothing was begun.
    stage: str = ""
    # True: the new services were started already. False: nothing of what served was touched.
    activated: bool = False
    # How the host is while it happens.
    around: t.Callable[[Notes], t.ContextManager] = contextlib.nullcontext
    # Makes the image of a tag that is deployed.
    image: t.Callable[[Registry, str], object] | None = None
    # It is written down, unless there is no room for that.
    recorded: bool = True


def secrets(**values: str) -> dict:
    """Other values than the inventory's."""
    return {"stack_secrets": {"notes": {"db_password": SECRET, **values}}}


FAULTS = {
    "a secret without a value": Fault(secrets(db_password=""), ("db_password", "empty")),
    "an image that is missing": Fault({"notes_version": "9.9.9"}, ("stack notes", "service api", "notes:9.9.9")),
    "an image for another architecture": Fault(
        {},
        ("stack notes", "service api", "arm64", "amd64"),
        image=lambda registry, tag: registry.variant("1.0.1", tag, architecture="arm64"),
    ),
    "the registry is down": Fault(
        {},
        ("stack notes", "service api", "registry.test:5000"),
        around=Notes.registry_gone,
        image=lambda registry, tag: registry.tag("1.0.1", tag),
    ),
    "the disk is full while images are pulled": Fault(
        {},
        ("stack notes", "service api", "no space left on device"),
        around=lambda notes: notes.full_disk("/var/lib/docker/tmp"),
        image=lambda registry, tag: registry.variant("1.0.1", tag, layer_bytes=1_000_000),
    ),
    "the disk is full while secrets are written": Fault(
        secrets(django_secret_key="another key, long enough for Django to take it, " * 2),
        ("[Nn]o space left on device",),
        around=lambda notes: notes.full_disk("/opt/stacks"),
        recorded=False,
    ),
    "the disk is full while files are written": Fault(
        {"notes_version": "1.0.1"},
        ("[Nn]o space left on device",),
        around=lambda notes: notes.full_disk("/opt/stacks"),
        recorded=False,
    ),
    "a password that the database does not know": Fault(
        secrets(db_password="this-is-another-password"),
        ("stack notes", "service api", "step migrate", "password authentication failed"),
        stage="steps",
    ),
    "a migration that fails": Fault(
        {"notes_version": "2.1.0-broken"},
        ("stack notes", "service api", "step migrate", "exit code 1", "tags cannot be told from notes"),
        stage="steps",
    ),
    "a service that is never healthy": Fault(
        {"notes_version": "3.0.0-sick"},
        ("stack notes", "service api", "unhealthy", "i am lost"),
        stage="activate",
        activated=True,
    ),
    "a step that fails when the new release serves": Fault(
        {"notes_version": "1.0.1", "notes_smoke": "python manage.py nonsense"},
        ("stack notes", "service api", "step smoke", "Unknown command: 'nonsense'"),
        stage="steps",
        activated=True,
    ),
    "a step that takes too long": Fault(
        {"notes_version": "1.0.1", "notes_smoke": "sleep 600"},
        ("stack notes", "service api", "step smoke", "10 s"),
        stage="steps",
        activated=True,
    ),
    "a check that fails": Fault(
        {"notes_version": "1.0.1", "stack_overrides": {"notes": {"checks": [{"name": "nowhere", "url": "http://127.0.0.1/nowhere", "deadline": 5}]}}},
        ("stack notes", "nowhere", "404"),
        stage="verify",
        activated=True,
    ),
}


def prove_fault(fault: Fault, notes: Notes, registry: Registry) -> None:
    """The previous release serves, users saw no other, the error says why, and the next plain run is at peace."""
    deploy = dict(fault.deploy)
    if fault.image:
        deploy["notes_version"] = new_release()
        fault.image(registry, deploy["notes_version"])
    version, current, started, history = notes.version(), notes.current(), notes.started(), notes.history()
    images = {service: one["Image"] for service, one in notes.containers().items()}

    with notes.users() as users:
        with fault.around(notes):
            done = notes.deploy(**{**notes.good, **deploy})
        assert done.code != 0, done.output
        assert notes.version() == version
    print(users.report())

    assert not done.lacks(*fault.says), done.output
    assert notes.current() == current
    assert {service: one["Image"] for service, one in notes.containers().items()} == images
    if not fault.activated:
        assert notes.started() == started
        assert not users.report().failures
    events = notes.history()[len(history):]
    if not fault.stage and fault.recorded:
        assert not events
    elif fault.recorded:
        *_, event = events
        assert (event["event"], event["restored"]) == ("failed", current)
        assert [stage["stage"] for stage in event["stages"] if stage["failed"]] == [fault.stage]
        assert all(re.search(words, event["error"]) for words in fault.says), event
    assert_at_peace(notes, notes.good)


@dataclasses.dataclass(frozen=True)
class Stage:
    """A moment in a deploy that goes well."""

    # The line of the output that begins it, and the stage that the module on the host notes while it works.
    line: str
    work: str = ""
    # What makes it last long enough to be met.
    deploy: dict = dataclasses.field(default_factory=dict)
    around: t.Callable[[Notes], t.ContextManager] = contextlib.nullcontext
    new_tag: bool = False


STAGES = {
    # Without an answer from the registry the engine waits.
    "images": Stage(r"notes pulling", new_tag=True, around=lambda notes: notes.registry_gone("DROP")),
    "secrets": Stage(r"^TASK .*render \| Write the secret versions"),
    "release": Stage(r"^TASK .*render \| Write the release"),
    "steps": Stage(
        r"^TASK .*steps \| Run each step once, of those before",
        "steps",
        # It leaves a note, so that its runs can be counted.
        {
            "notes_migrate": "sh -c 'sleep 5; python manage.py migrate --noinput && python manage.py shell -c "
            '"from notes.models import Note; Note.objects.create(text=open(\\"/etc/notes/run\\").read().strip())"\''
        },
    ),
    "activate": Stage(r"notes +[\d.]+s +api: "),
    "verify": Stage(
        r"^TASK .*verify \| Probe",
        "verify",
        {"stack_overrides": {"notes": {"checks": [{"name": "slow", "url": "http://127.0.0.1/health?wait=4", "timeout": 10}]}}},
    ),
    "commit": Stage(r"^TASK .*commit \| Name the release"),
}


def power_off(_notes: Notes, _run: Playbook) -> None:
    """Nothing on the host has a chance to end well."""
    subprocess.run(["docker", "kill", f"portside-{HOST}"], check=True, stdout=subprocess.DEVNULL)
    bed("up", HOST)


BLOWS: dict[str, t.Callable[[Notes, Playbook], object]] = {
    "Ctrl-C": lambda notes, run: run.kill(signal.SIGINT),
    "SIGKILL": lambda notes, run: run.kill(signal.SIGKILL),
    "the engine restarts": lambda notes, run: notes.sh("systemctl restart docker"),
    "the host reboots": lambda notes, run: bed("reboot", HOST),
    "the power fails": power_off,
}
# Of the host's blows those that meet something under way there.
MATRIX = [
    (blow, stage)
    for blow in BLOWS
    for stage in STAGES
    if blow in ("Ctrl-C", "SIGKILL") or stage in ("images", "steps", "activate", "verify")
]


def prove_blow(blow: str, stage: str, notes: Notes, registry: Registry) -> None:
    """Old or new serves, never neither; the same command, given again, completes without a hand, and runs no step twice."""
    moment = STAGES[stage]
    old = notes.version()
    new = "1.0.1" if old == "1.0.0" else "1.0.0"
    deploy = {"notes_version": new, "notes_run": new_release(), **moment.deploy}
    if moment.new_tag:
        deploy["notes_version"] = new_release()
        registry.tag(new, deploy["notes_version"])

    with notes.users() as users:
        with moment.around(notes):
            run = notes.start("deploy", **deploy)
            run.wait_for(moment.line)
            if moment.work:
                notes.wait_for_work(moment.work)
            BLOWS[blow](notes, run)
        run.end()
        serves = notes.version_within(120)
    print(f"{blow} at {stage}: {serves} serves, was {old}, becomes {new}\n{users.report()}")

    assert serves in (old, new)
    assert notes.sh(f"readlink {DIRECTORY}/current")
    notes.deployed(**deploy)
    assert notes.version() == new
    # What its container did to the end is not done again.
    assert int(notes.sql(f"select count(*) from notes_note where text = '{deploy['notes_run']}'")) <= 1
    assert_at_peace(notes, deploy)


def assert_at_peace(notes: Notes, deploy: dict) -> None:
    """What is declared is there, a run finds nothing to do, and nothing is left over of runs before."""
    done = notes.deploy(**deploy)
    assert done.code == 0, done.output
    assert done.changed == 0, done.output
    notes.releases()
    assert not notes.sh("docker ps --all --quiet --filter label=com.docker.compose.project=notes --filter label=com.docker.compose.oneoff=True")
    events = notes.history()
    ends = collections.Counter(event["run"] for event in events if event["event"] != "started")
    assert {ends[event["run"]] for event in events if event["event"] == "started"} == {1}
