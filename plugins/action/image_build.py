# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module image_build, and sends it the controller's directories that it has no image of."""

from __future__ import annotations

import os
import tempfile
import typing as t

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible_collections.portside.stack.plugins.module_utils._build_context import read_context
from ansible_collections.portside.stack.plugins.module_utils._build_source import is_git
from ansible_collections.portside.stack.plugins.module_utils._errors import StackError
from ansible_collections.portside.stack.plugins.plugin_utils._live_progress import LiveAction

_MODULE = "portside.stack.image_build"


class ActionModule(LiveAction):
    """One remote execution when all images are there; a directory is sent when it is new, and only then."""

    MODULE = "image_build"
    _supports_async = False

    def stack_name(self, arguments: t.Mapping[str, t.Any]) -> str:
        return str(arguments.get("stack"))

    def _execute(self, task_vars: t.Any) -> t.Dict[str, t.Any]:
        arguments = dict(self._task.args)
        builds = arguments.get("builds")
        if not isinstance(builds, list) or not all(isinstance(build, dict) for build in builds):
            # The module says what is wrong with them.
            return self._execute_module(module_name=_MODULE, task_vars=task_vars)
        directories: t.Dict[str, t.Tuple[str, str, str]] = {}
        arguments["builds"] = [self._with_digest(build, (task_vars or {}).get("inventory_dir"), directories) for build in builds]
        result = self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=task_vars)
        if result.get("missing"):
            archives = {digest: self._send(digest, *directories[digest]) for digest in result["missing"]}
            for build in arguments["builds"]:
                build["archive"] = archives.get(build["context_digest"])
            result = self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=task_vars)
        return result

    def _with_digest(
        self, build: t.Mapping[str, t.Any], inventory: t.Optional[str], directories: t.Dict[str, t.Tuple[str, str, str]]
    ) -> t.Dict[str, t.Any]:
        """The build with the digest of its directory, if that is one of the controller."""
        context, dockerfile = str(build.get("context") or "/"), str(build.get("dockerfile") or "")
        digest = ""
        if not context.startswith("/") and not is_git(context):
            subject = "stack {0}: service {1}: build {2}".format(self._task.args.get("stack"), build.get("service"), context)
            if not inventory:
                raise AnsibleActionFail(
                    "{0}: the path is relative to the directory of the inventory, and this inventory has none. "
                    "Remedy: keep the inventory in a file.".format(subject)
                )
            directory = os.path.normpath(os.path.join(inventory, context))
            digest = _read(subject, directory, dockerfile)
            directories[digest] = (subject, directory, dockerfile)
        return {**build, "context_digest": digest, "archive": None}

    def _send(self, digest: str, subject: str, directory: str, dockerfile: str) -> str:
        """The archive of a directory, on the host."""
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        remote = self._connection._shell.join_path(self._connection._shell.tmpdir, digest + ".tar")
        with tempfile.NamedTemporaryFile(dir=constants.DEFAULT_LOCAL_TMP) as archive:
            if _read(subject, directory, dockerfile, archive) != digest:
                raise AnsibleActionFail(
                    "{0}: {1} changed while it was read. Remedy: run again when nobody writes there.".format(subject, directory)
                )
            archive.flush()
            self._transfer_file(archive.name, remote)
        self._fixup_perms2((self._connection._shell.tmpdir, remote), execute=False)
        return remote


def _read(subject: str, directory: str, dockerfile: str, archive: t.Optional[t.BinaryIO] = None) -> str:
    try:
        return read_context(directory, dockerfile, archive)
    except StackError as error:
        raise AnsibleActionFail("{0}: {1}".format(subject, error)) from error
