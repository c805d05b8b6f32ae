# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file of a release, or of its secrets, is not what it was."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from ansible_collections.portside.stack.plugins.module_utils._drift_files import file_drift, note_digests, noted, noted_path
from ansible_collections.portside.stack.plugins.module_utils._drift_secrets import secret_drift, version_contents
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem
from ansible_collections.portside.stack.plugins.module_utils._release_store import ReleaseStore
from ansible_collections.portside.stack.plugins.plugin_utils._release_files import release_files

VALUE = b"nobody-may-read-this-one"
STACK = {
    "name": "shop",
    "services": {
        "web": {
            "image": "example/web:1",
            "configs": ["web.conf"],
            "secrets": [{"source": "key", "uid": "1000", "gid": "1000"}],
            "ports": [{"target": 80, "published": 80}],
        },
        "api": {"image": "example/api:1"},
    },
    "configs": {"web.conf": {"content": "listen 80;\n"}},
    "secrets": {"key": {}},
    "edge": {"kind": "nginx", "tls": {"kind": "self_signed"}},
    "exposure": {"edge": "public"},
    "routes": [{"prefix": "/", "service": "api", "port": 8000}],
}


class Host:
    """A release and its secrets, as they are written."""

    def __init__(self, home):
        self.fs, self.store = FileSystem(), ReleaseStore(str(home / "shop"))
        made = release_files(STACK, self.store.directory, {"key": 1})
        self.release, self.files = made["id"], made["files"]
        for path, entry in self.files.items():
            self.write(path, entry["content"].encode(), int(entry["mode"], 8))
        state = self.store.state_path(self.release)
        os.makedirs(state)
        os.chmod(state, 0o700)
        self.secret = os.path.join(self.store.directory, "secrets", "key", "1")
        self.copy = self.secret + "-1000-1000-0400"
        self.write(self.secret, VALUE, 0o400)
        self.write(self.copy, VALUE, 0o400)
        os.chown(self.copy, 1000, 1000)
        for path in (os.path.dirname(self.secret), os.path.dirname(os.path.dirname(self.secret))):
            os.chmod(path, 0o700)
        self.record = self.store.read(self.release)

    def write(self, path, data, mode):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as handle:
            handle.write(data)
        os.chmod(path, mode)

    def note(self):
        secrets = version_contents(self.fs, self.store.directory, self.record)
        digests = note_digests(self.fs, self.store, self.release, secrets)
        self.write(noted_path(self.store, self.release), json.dumps(digests).encode(), 0o600)

    def drift(self):
        return file_drift(self.fs, self.store, self.release, self.record)

    def secrets(self):
        return secret_drift(self.fs, "shop", self.store.directory, self.record, noted(self.fs, self.store, self.release)["secrets"])

    def path(self, name):
        return next(path for path in self.files if path.endswith("/" + name))


@pytest.fixture(name="host", params=[True, False], ids=["noted", "of an older version"])
def host_fixture(tmp_path, request):
    os.chmod(tmp_path, 0o755)
    made = Host(tmp_path)
    if request.param:
        made.note()
    return made


def whats(found):
    return [one.what for one in found]


def test_what_was_just_written_is_as_it_was(host):
    assert whats(host.drift() + host.secrets()) == []


@pytest.mark.parametrize("name", ["compose.yaml", "release.json", "edge/nginx.conf", "web.conf"])
def test_an_edited_file_is_found(host, name):
    path = host.path(name)
    with open(path, "ab") as handle:
        handle.write(b"\n")
    (found,) = host.drift()
    exact = name == "web.conf" or os.path.exists(noted_path(host.store, host.release))
    assert found.what == "{0} was edited".format(path) if exact else path in found.what
    assert not found.broken


@pytest.mark.parametrize("name", ["compose.yaml", "release.json", "edge/nginx.conf", "web.conf"])
def test_a_missing_file_and_another_mode_and_owner_are_found(host, name):
    path = host.path(name)
    mode = "0600" if name == "release.json" else "0644"
    os.chmod(path, 0o640)
    assert whats(host.drift()) == ["{0} has owner 0:0, mode 0640 instead of owner 0:0, mode {1}".format(path, mode)]
    os.chmod(path, int(mode, 8))
    os.chown(path, 7, 0)
    assert whats(host.drift()) == ["{0} has owner 7:0, mode {1} instead of owner 0:0, mode {1}".format(path, mode)]
    os.unlink(path)
    assert whats(host.drift()) == ["{0} is missing".format(path)]
    os.symlink("/etc/hostname", path)
    assert "{0} is no file".format(path) in whats(host.drift())


def test_two_edited_files_are_both_named(host):
    host.note()
    for name in ("compose.yaml", "web.conf"):
        with open(host.path(name), "ab") as handle:
            handle.write(b"\n")
    assert sorted(whats(host.drift())) == sorted("{0} was edited".format(host.path(name)) for name in ("compose.yaml", "web.conf"))


def test_a_release_s_directories_count(host):
    os.chmod(host.store.state_path(host.release), 0o755)
    assert "has owner 0:0, mode 0755 instead of" in host.drift()[0].what


def test_a_missing_secret_breaks_and_a_wrong_mode_does_not(host):
    os.chmod(host.copy, 0o444)
    (found,) = host.secrets()
    assert "mode 0444 instead of owner 1000:1000, mode 0400" in found.what and not found.broken
    os.unlink(host.copy)
    (found,) = host.secrets()
    assert found.what == "{0} is missing".format(host.copy) and found.broken and found.kind == "secret"


def test_a_changed_copy_is_found_and_not_shown(host):
    host.write(host.copy, b"another-value-of-somebody", 0o400)
    (found,) = host.secrets()
    assert host.copy in found.what
    assert "another-value" not in repr(found) and "nobody-may" not in repr(found)


def test_a_changed_secret_is_found_by_its_digest_alone(host):
    host.note()
    for path in (host.secret, host.copy):
        host.write(path, b"another-value-of-somebody", 0o400)
    (found,) = host.secrets()
    assert host.secret in found.what and "verified with another one" in found.what
    with open(noted_path(host.store, host.release), encoding="utf-8") as handle:
        kept = handle.read()
    assert hashlib.sha256(VALUE).hexdigest() in kept
    assert all(VALUE.decode() not in text and "another-value" not in text for text in (kept, repr(found)))
    assert "-e rotate=key" in found.remedy
