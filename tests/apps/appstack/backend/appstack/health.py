# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the backend is well; tests make it sick."""

from pathlib import Path

from django.core.cache import cache
from django.db import Error, connection
from django.http import JsonResponse
from redis.exceptions import RedisError

# A restart of the container cures the second one: that directory is new each time.
SICK = Path("/tmp/sick"), Path("/dev/shm/sick")


def sickness(get_response):
    """Answers everything with 503 while one of the files is there."""

    def answer(request):
        if any(path.exists() for path in SICK):
            return JsonResponse({"status": "sick"}, status=503)
        return get_response(request)

    return answer


def database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select 1")


def redis() -> None:
    cache.get("health")


def health(request):
    found = {}
    for part in (database, redis):
        try:
            part()
            found[part.__name__] = "ok"
        except (Error, RedisError) as error:
            # Its text may name hosts and users.
            found[part.__name__] = type(error).__name__
    well = set(found.values()) == {"ok"}
    return JsonResponse({"status": "ok" if well else "unhealthy", **found}, status=200 if well else 503)
