# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.module_utils._release_rollback import (
    Release,
    choose,
    judge,
    previous_good,
    restores,
)

A, B, C = "a" * 16, "b" * 16, "c" * 16
DB, CRM = "db/app", "db/crm"


def at(hour):
    return "2026-11-21T{0:02d}:00:00Z".format(hour)


def entry(step, started, before=None, after=None, ended=True, dump=None, **keys):
    if dump is not None:
        dump = {"path": "/dumps/" + step + str(started), "service": "db", "database": dump, "user": "app", "taken": at(started)}
    return dict(
        {
            "step": step,
            "started": at(started),
            "ended": at(started) if ended else None,
            "exit_code": 0,
            "schema_before": before,
            "schema_after": after,
            "dump": dump,
        },
        **keys,
    )


def release(name, verified=0, schema=None, ledger=()):
    return Release(name, at(verified) if verified else "", schema, {"steps": []}, list(ledger))


def events(*names, kind="deployed"):
    return [{"event": kind, "release": name} for name in names]


# ---- which release


def test_previous_is_the_good_release_that_was_current_before():
    releases = [release(A, 1), release(B, 3), release(C, 2)]
    assert previous_good(releases, C, events(A, B, C)) == B
    assert previous_good(releases, C, events(A, B, C, C)) == B, "the current one committed again"
    assert previous_good(releases, C, events(A) + events(B, kind="failed") + events(C)) == A
    assert previous_good(releases, C, []) == B, "the newest, where the history is lost"
    assert previous_good([release(A, 1), release(C, 2), release(B)], C, events(A, B, C)) == A, "never verified"
    assert previous_good([release(C, 2)], C, events(A, C)) == "", "no longer on the host"


def test_a_rollback_never_goes_forward_to_what_was_rolled_back_from():
    releases = [release(A, 1), release(B, 3), release(C, 2)]
    fled = events(A, B, C) + events(B, kind="rolled_back")
    assert previous_good(releases, B, fled) == A
    assert previous_good(releases, B, fled + events(B, kind="rolled_back")) == A, "then its databases were restored"
    assert previous_good(releases, A, fled + events(A, kind="rolled_back")) == ""
    assert previous_good(releases, B, fled + events(C, B)) == C, "it was deployed again, and served until the next"
    assert choose("shop", C, "", releases, B, fled).id == C, "by its name"
    none = refusal("", "", releases, A, fled + events(A, kind="rolled_back"))
    assert "was ever verified that was not rolled back from since" in none and C in none.partition("Remedy")[2]


def refusal(*arguments):
    with pytest.raises(StackError) as caught:
        choose("shop", *arguments)
    return str(caught.value)


def test_only_releases_that_were_verified_are_offered_also_by_name():
    releases = [release(A, 1), release(B), release(C, 3)]
    assert choose("shop", A, "", releases, C, []).id == A
    assert choose("shop", "previous", "", releases, C, []).id == A
    never = refusal(B, "", releases, C, [])
    assert "stack shop: release {0} was never verified".format(B) in never
    assert "{0} (verified {1})".format(A, at(1)) in never and C not in never
    assert "release dddd is not on the host" in refusal("dddd", "", releases, C, [])
    none = refusal("", "", [release(C, 3), release(B)], C, [])
    assert "there is no release to roll back to" in none and "Remedy: deploy" in none


def test_the_current_release_is_a_target_for_its_databases_alone():
    releases = [release(A, 1), release(C, 3)]
    assert "is the current one" in refusal(C, "", releases, C, []) and "is the current one" in refusal(C, "keep", releases, C, [])
    assert choose("shop", C, "restore", releases, C, []).id == C


# ---- whether the databases fit


def test_the_same_fingerprints_fit_whatever_steps_ran():
    old = release(A, 1, {DB: "1"})
    ran = release(B, 3, {DB: "1"}, [entry("migrate", 2, {DB: "1"}, {DB: "1"})])
    assert judge(old, [old, ran], {DB: "1"}).schema == "same"
    assert judge(old, [old, ran], {DB: "1", CRM: "9"}).schema == "same", "the old code knows nothing of a new database"
    assert judge(release(A, 1, {}), [old], None).schema == "same", "a stack without databases"


def test_a_schema_that_moved_names_what_moved_it():
    old = release(A, 1, {DB: "1", CRM: "5"})
    new = release(B, 3, {DB: "2", CRM: "5"}, [entry("migrate", 2, {DB: "1", CRM: "5"}, {DB: "2", CRM: "5"})])
    verdict = judge(old, [old, new], {DB: "2", CRM: "5"})
    assert (verdict.schema, verdict.databases, verdict.dumps) == ("moved", [DB], [])
    assert "step migrate of release {0} at {1}".format(B, at(2)) in verdict.why and CRM not in verdict.why
    by_hand = judge(old, [old], {DB: "7", CRM: "5"})
    assert by_hand.schema == "moved" and "no step that is recorded" in by_hand.why


def test_steps_from_before_or_whose_work_is_undone_did_not_move_it():
    old = release(A, 5, {DB: "1"}, [entry("first", 4, {DB: "0"}, {DB: "1"})])
    new = release(
        B, 7, {DB: "2"}, [entry("undone", 6, {DB: "1"}, {DB: "2"}, undone=at(6)), entry("again", 7, {DB: "1"}, {DB: "2"})]
    )
    why = judge(old, [old, new], {DB: "2"}).why
    assert "again" in why and "first" not in why and "undone" not in why


def test_without_running_databases_the_last_that_was_seen_counts():
    old = release(A, 1, {DB: "1"})
    moved = release(B, 0, None, [entry("migrate", 2, {DB: "1"}, {DB: "2"})])
    assert judge(old, [old, moved], None).schema == "moved"
    assert judge(old, [old, release(C, 3, {DB: "1"}), moved], {}).schema == "same", "as verified after that"
    assert judge(old, [old], None).schema == "same"


def test_a_database_that_is_gone_from_a_server_that_answers_has_moved():
    old = release(A, 1, {DB: "1", CRM: "5"})
    assert judge(old, [old], {CRM: "5"}).databases == [DB]


def test_what_nobody_saw_end_leaves_it_unknown():
    old = release(A, 1, {DB: "1"})
    killed = release(B, 0, None, [entry("migrate", 2, {DB: "1"}, None, ended=False)])
    verdict = judge(old, [old, killed], None)
    assert (verdict.schema, verdict.databases) == ("unknown", [DB])
    seen = judge(old, [old, killed], {DB: "3"})
    assert seen.schema == "moved" and "step migrate of release " + B in seen.why


def test_a_release_verified_without_its_schemas_is_unknown():
    old = release(A, 1, None)
    verdict = judge(old, [old, release(B, 2, {DB: "1"})], {DB: "1"})
    assert verdict.schema == "unknown" and A in verdict.why and verdict.dumps == []


@pytest.mark.parametrize(("schema", "verdict"), [("auto", "unknown"), ("none", "same")])
def test_steps_of_a_stack_without_a_database_that_can_be_asked_leave_it_unknown(schema, verdict):
    old, ran = release(A, 1, {}), release(B, 3, {}, [entry("migrate", 2)])
    ran.record["steps"] = [{"name": "migrate", "schema": schema}]
    told = judge(old, [old, ran], {})
    assert told.schema == verdict and ("step migrate of release " + B in told.why) == (verdict == "unknown")
    assert judge(ran, [old, ran], {}).schema == "same", "from before it was verified"


# ---- what can be restored


def test_the_newest_dump_with_the_schema_of_the_release_is_chosen():
    old = release(A, 1, {DB: "1"})
    tried = release(B, 0, None, [entry("migrate", 2, {DB: "1"}, {DB: "1"}, dump="app"), entry("migrate", 3, {DB: "1"}, {DB: "2"}, dump="app")])
    later = release(C, 5, {DB: "3"}, [entry("migrate", 4, {DB: "2"}, {DB: "3"}, dump="app")])
    verdict = judge(old, [old, tried, later], {DB: "3"})
    assert verdict.dump_taken == at(3) and [one["dump"]["path"] for one in verdict.dumps] == ["/dumps/migrate3"]
    assert restores("shop", old, verdict, "restore", C) == [
        {"path": "/dumps/migrate3", "service": "db", "database": "app", "user": "app", "taken": at(3)}
    ]


def test_every_database_that_moved_needs_a_dump():
    old = release(A, 1, {DB: "1", CRM: "5"})
    new = release(B, 3, {}, [entry("migrate", 2, {DB: "1", CRM: "5"}, {DB: "2", CRM: "6"}, dump="app")])
    verdict = judge(old, [old, new], {DB: "2", CRM: "6"})
    assert verdict.databases == [DB, CRM] and verdict.dumps == []
    new.ledger.append(entry("crm", 2, {CRM: "5"}, {CRM: "6"}, dump="crm"))
    assert len(judge(old, [old, new], {DB: "2", CRM: "6"}).dumps) == 2


def test_a_schema_told_by_a_command_is_brought_back_by_the_dump_of_its_step():
    name = "command:migrate"
    old = release(A, 1, {name: "1"})
    new = release(B, 3, {name: "2"}, [entry("migrate", 2, {name: "1"}, {name: "2"}, dump="app")])
    assert judge(old, [old, new], {DB: "x"}).dump_taken == at(2)


def told(verdict, schema, target, current=B):
    with pytest.raises(StackError) as caught:
        restores("shop", target, verdict, schema, current)
    return str(caught.value)


def test_the_refusal_explains_both_ways_out():
    old = release(A, 1, {DB: "1"})
    new = release(B, 3, {DB: "2"}, [entry("migrate", 2, {DB: "1"}, {DB: "2"}, dump="app")])
    verdict = judge(old, [old, new], {DB: "2"})
    text = told(verdict, "", old)
    for part in ("stack shop", A, at(1), DB, "migrate", B, "-e schema=keep", "-e schema=restore", "dump of " + at(2), "put aside", "Remedy"):
        assert part in text
    assert restores("shop", old, verdict, "keep", B) == []


def test_restore_is_refused_where_no_dump_fits():
    old = release(A, 1, {DB: "1"})
    verdict = judge(old, [old], {DB: "2"})
    for schema in ("", "restore"):
        text = told(verdict, schema, old)
        assert "schema=restore is not available: no dump" in text and "-e schema=restore brings" not in text
    unknown = judge(release(A, 1, None), [], None)
    assert "without knowing its schemas" in told(unknown, "restore", old)
    assert restores("shop", old, unknown, "keep", B) == []


def test_nothing_is_restored_that_did_not_move():
    old = release(A, 1, {DB: "1"})
    same = judge(old, [old], {DB: "1"})
    assert restores("shop", old, same, "", B) == restores("shop", old, same, "restore", B) == []
    assert "nothing to restore" in told(same, "restore", old, current=A)


def test_a_failed_migration_is_undone_while_the_release_stays():
    current = release(A, 1, {DB: "1"})
    failed = release(B, 0, None, [entry("migrate", 2, {DB: "1"}, {DB: "1.5"}, dump="app", exit_code=1)])
    verdict = judge(current, [current, failed], {DB: "1.5"})
    assert [one["path"] for one in restores("shop", current, verdict, "restore", A)] == ["/dumps/migrate2"]
