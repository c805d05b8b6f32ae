# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which healthcheck to write for a service with a well-known image.

This plugin util is PRIVATE to the portside.stack collection. It can have breaking changes at any time.
"""

from __future__ import annotations

import typing as t

from ansible_collections.portside.stack.plugins.plugin_utils import _stack_model as model

Test = t.List[str]
_TIMING = {"interval": "5s", "timeout": "5s", "retries": 10, "start_period": "30s"}


def suggested_healthcheck(service: model.Mapping) -> t.Optional[model.Mapping]:
    """The healthcheck; none where nothing is known of the image."""
    repository, _colon, tag = str(service.get("image") or "").partition("@")[0].rpartition("/")[2].lower().partition(":")
    test = _TESTS.get(repository)
    return {"test": test(tag, service), **_TIMING} if test else None


def _fixed(*test: str) -> t.Callable[[str, model.Mapping], Test]:
    return lambda _tag, _service: list(test)


def _postgres(_tag: str, service: model.Mapping) -> Test:
    # While a new database is made, PostgreSQL answers on its Unix socket alone: that is not ready.
    user = model.pairs(service.get("environment")).get("POSTGRES_USER")
    return ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", str(user or "postgres")]


def _answers_ping(program: str) -> t.Callable[[str, model.Mapping], Test]:
    # Who asks for a password is up; who is still loading its data answers neither.
    return _fixed("CMD-SHELL", "{0} ping | grep -qE 'PONG|NOAUTH'".format(program))


def _nginx(tag: str, _service: model.Mapping) -> Test:
    # Any answer shows that it is up. The slim images have no curl.
    if "slim" in tag:
        return ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1/"]
    return ["CMD", "curl", "-sS", "-o", "/dev/null", "http://127.0.0.1/"]


def _memcached(tag: str, _service: model.Mapping) -> Test:
    if "alpine" in tag:
        return ["CMD", "nc", "-z", "127.0.0.1", "11211"]
    return ["CMD", "bash", "-c", "</dev/tcp/127.0.0.1/11211"]


# With certificates of its own it speaks https alone.
_SEARCH = _fixed("CMD-SHELL", "curl -s -o /dev/null http://127.0.0.1:9200 || curl -sk -o /dev/null https://127.0.0.1:9200")
_TESTS: t.Dict[str, t.Callable[[str, model.Mapping], Test]] = {
    "elasticsearch": _SEARCH,
    "keydb": _answers_ping("keydb-cli"),
    "mariadb": _fixed("CMD", "mariadb-admin", "ping", "-h", "127.0.0.1"),
    "meilisearch": _fixed("CMD", "curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:7700/health"),
    "memcached": _memcached,
    "minio": _fixed("CMD", "mc", "ready", "local"),
    "mongo": _fixed("CMD", "mongosh", "--quiet", "--eval", "db.adminCommand({ping: 1}).ok"),
    "mysql": _fixed("CMD", "mysqladmin", "ping", "-h", "127.0.0.1"),
    "nginx": _nginx,
    "opensearch": _SEARCH,
    "pgvector": _postgres,
    "postgis": _postgres,
    "postgres": _postgres,
    "postgresql": _postgres,
    "rabbitmq": _fixed("CMD", "rabbitmq-diagnostics", "-q", "ping"),
    "redis": _answers_ping("redis-cli"),
    "timescaledb": _postgres,
    "valkey": _answers_ping("valkey-cli"),
}
