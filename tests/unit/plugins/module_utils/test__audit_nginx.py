# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os

import pytest
from ansible_collections.portside.stack.plugins.module_utils._audit_files import LARGEST_FILE, HostFiles, matching
from ansible_collections.portside.stack.plugins.module_utils._audit_nginx import entry_of, read_nginx
from ansible_collections.portside.stack.plugins.module_utils._filesystem import FileSystem

MAIN = """
user www-data;
include modules-enabled/*.conf;
events {}
http {
    include mime.types;
    merge_slashes off;
    include conf.d/*.conf;
    include sites-enabled/*;
}
"""
SITE = """
upstream app { server 127.0.0.1:8000; }
server {
    listen 443 ssl; listen [::]:443 ssl;
    server_name example.com ~^www\\d+\\.example\\.com$;
    merge_slashes on;
    ssl_certificate_key /etc/ssl/private/key.pem;
    include snippets/common.conf;
    location ^~ /api/ {
        proxy_set_header Authorization "Basic czNudGluZWw=";
        proxy_pass http://user:s3ntinel@app;
        location ~ "^/api/v[0-9]{1,2}/" { }
    }
    location @named { return 503; }
}
"""


@pytest.fixture
def home(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write("nginx.conf", MAIN)
    write("sites-available/site", SITE)
    write("snippets/common.conf", "location = /health { return 200; }")
    write("conf.d/.hidden.conf", "server { server_name hidden; }")
    write("conf.d/b.conf", "server { server_name b; }")
    write("conf.d/a.conf", "server { server_name a; listen 8080; }")
    write("conf.d/a.conf.bak", "server { server_name backup; }")
    (tmp_path / "sites-enabled").mkdir()
    os.symlink("../sites-available/site", tmp_path / "sites-enabled" / "site")
    return tmp_path


def read(home):
    return read_nginx(HostFiles(FileSystem()), str(home / "nginx.conf"))


def test_includes_are_followed_as_nginx_does(home):
    found = read(home)
    assert found["problems"] == []
    assert [(one["names"], one["listens"], one["merge_slashes"]) for one in found["servers"]] == [
        (["a"], ["8080"], False),
        (["b"], [], False),
        (["example.com", "~^www\\d+\\.example\\.com$"], ["443", "[::]:443"], True),
    ]
    server = found["servers"][2]
    assert (server["file"], server["line"]) == (str(home / "sites-enabled/site"), 3)
    assert server["locations"] == [
        {"modifier": "=", "pattern": "/health"},
        {"modifier": "^~", "pattern": "/api/", "passes": True, "locations": [{"modifier": "~", "pattern": "^/api/v[0-9]{1,2}/"}]},
        {"pattern": "@named"},
    ]


def test_no_value_leaves(home):
    told = json.dumps(read(home))
    assert "s3ntinel" not in told and "Basic" not in told and "private" not in told


def test_what_cannot_be_read_is_told(home):
    (home / "conf.d/b.conf").write_text("server { secret")
    (home / "snippets/common.conf").unlink()
    (home / "conf.d/a.conf").write_text("#" * (LARGEST_FILE + 1))
    found = read(home)
    assert [one.replace(str(home), "") for one in found["problems"]] == [
        "/conf.d/a.conf could not be read: it is larger than {0} bytes".format(LARGEST_FILE),
        "/conf.d/b.conf:1: an unexpected end of the file",
        "/snippets/common.conf is not there",
    ]
    assert [one["names"][0] for one in found["servers"]] == ["example.com"]
    assert read_nginx(HostFiles(FileSystem()), "/nowhere/nginx.conf")["problems"] == ["/nowhere/nginx.conf is not there"]


def test_files_that_include_each_other_come_to_an_end(home):
    (home / "conf.d/a.conf").write_text("include {0}/conf.d/a.conf;".format(home))
    assert "too many files include each other" in read(home)["problems"][0]


def test_a_pipe_is_not_waited_for(home):
    os.mkfifo(home / "conf.d/c.conf")
    assert "c.conf is not there" in read(home)["problems"][0]


@pytest.mark.parametrize(
    ("title", "path"),
    [
        ("nginx: master process nginx -g daemon off;", ""),
        ("nginx: master process /usr/sbin/nginx -c /etc/portside/nginx.conf -g daemon off;", "/etc/portside/nginx.conf"),
        ("nginx: master process nginx -p /opt/site -c conf/nginx.conf", "/opt/site/conf/nginx.conf"),
        ("nginx: worker process", None),
        ("nginx", None),
    ],
)
def test_where_it_begins(title, path):
    assert entry_of(title) == path


def test_patterns(tmp_path):
    for name in ("a/x.conf", "a/y.conf", "b/x.conf", "b/.x.conf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    files = HostFiles(FileSystem())

    def names(pattern):
        return [one.replace(str(tmp_path) + "/", "") for one in matching(files, str(tmp_path / pattern))]

    assert names("*/x.conf") == ["a/x.conf", "b/x.conf"]
    assert names("a/[xy].conf") == ["a/x.conf", "a/y.conf"]
    assert names("b/*") == ["b/x.conf"] and names("b/.x*") == ["b/.x.conf"]
    assert names("nowhere/*.conf") == []
