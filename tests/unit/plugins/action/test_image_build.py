# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import tarfile
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.portside.stack.plugins.action import image_build
from ansible_collections.portside.stack.plugins.action.image_build import ActionModule


class Shell:
    tmpdir = None

    @staticmethod
    def join_path(*parts):
        return "/".join(parts)


class Action(ActionModule):
    """The plugin without a connection: it notes what is executed and sent, and knows what is on the host."""

    def __init__(self, arguments, images=()):
        self._task = SimpleNamespace(args=arguments)
        self._connection = SimpleNamespace(_shell=Shell())
        self.images, self.executed, self.sent = set(images), [], {}

    def _execute_module(self, module_name=None, module_args=None, task_vars=None):
        assert module_name == "portside.stack.image_build"
        self.executed.append(module_args)
        builds = (module_args or {}).get("builds", [])
        missing = {build["context_digest"] for build in builds if build["context_digest"] and not build["archive"]}
        return {"missing": sorted(missing - self.images)} if missing - self.images else {"changed": True}

    def _make_tmp_path(self):
        self._connection._shell.tmpdir = "/tmp/remote"

    def _transfer_file(self, local, remote):
        with open(local, "rb") as file:
            self.sent[remote] = sorted(tarfile.open(fileobj=io.BytesIO(file.read())).getnames())

    def _fixup_perms2(self, paths, execute=True):
        assert not execute and set(paths) == {"/tmp/remote", *list(self.sent)[-1:]}

    def go(self, inventory):
        return self._execute({"inventory_dir": inventory and str(inventory)})


@pytest.fixture
def inventory(tmp_path):
    for path in ("app/Dockerfile", "app/f", "inventories/mine/hosts.yml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    return tmp_path / "inventories" / "mine"


def build(context, service="api", **keys):
    return dict({"service": service, "context": context}, **keys)


def test_a_directory_that_is_new_is_sent_once(inventory):
    action = Action({"stack": "shop", "builds": [build("../../app"), build("./../../app/", "job"), build("/srv/app", "db")]})
    assert action.go(inventory) == {"changed": True}
    first, second = action.executed
    digests = [one["context_digest"] for one in first["builds"]]
    assert digests[0] == digests[1] and len(digests[0]) == 64 and digests[2] == ""
    path = "/tmp/remote/{0}.tar".format(digests[0])
    assert [one["archive"] for one in second["builds"]] == [path, path, None]
    assert action.sent == {path: ["Dockerfile", "f"]}


def test_a_directory_whose_image_is_there_is_not_sent(inventory):
    action = Action({"stack": "shop", "builds": [build("../../app")]})
    action.go(inventory)
    action = Action(action._task.args, [action.executed[0]["builds"][0]["context_digest"]])
    assert action.go(inventory) == {"changed": True}
    assert len(action.executed) == 1 and action.sent == {}


def test_what_a_task_says_of_digests_and_archives_is_not_believed(inventory):
    action = Action({"stack": "shop", "builds": [build("/srv/app", context_digest="d", archive="/etc/shadow")]})
    action.go(inventory)
    assert action.executed[0]["builds"] == [build("/srv/app", context_digest="", archive=None)]


def test_git_needs_no_inventory(inventory):
    action = Action({"stack": "shop", "builds": [build("https://git.test/x"), build("git@git.test:x")]})
    assert action.go(None) == {"changed": True}


@pytest.mark.parametrize(("directory", "said"), [("none", "is no directory"), ("inventories/mine", "has no Dockerfile")])
def test_a_directory_that_cannot_be_built_from(inventory, tmp_path, directory, said):
    with pytest.raises(AnsibleActionFail, match="stack shop: service api: build ../../{0}: .*{1}.*Remedy".format(directory, said)):
        Action({"stack": "shop", "builds": [build("../../" + directory)]}).go(inventory)


def test_an_inventory_without_a_directory():
    with pytest.raises(AnsibleActionFail, match="service api.*Remedy"):
        Action({"stack": "shop", "builds": [build("app")]}).go(None)


def test_a_directory_that_changes_meanwhile_is_refused(inventory, tmp_path, monkeypatch):
    read = image_build.read_context

    def reading(*arguments):
        found = read(*arguments)
        (tmp_path / "app" / "f").write_text("x")
        return found

    monkeypatch.setattr(image_build, "read_context", reading)
    with pytest.raises(AnsibleActionFail, match="changed while it was read"):
        Action({"stack": "shop", "builds": [build("../../app")]}).go(inventory)


@pytest.mark.parametrize("builds", [None, "x", ["x"], {}])
def test_what_is_no_list_of_builds_is_for_the_module_to_refuse(builds):
    action = Action({"stack": "shop", "builds": builds})
    action.go(None)
    assert action.executed == [None]
