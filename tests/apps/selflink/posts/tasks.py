# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import functools
import json

import redis
from celery import shared_task
from django.conf import settings
from django.utils import timezone


@functools.cache
def pubsub_redis() -> redis.Redis:
    return redis.Redis.from_url(settings.PUBSUB_REDIS_URL)


@shared_task
def count_primes(limit: int) -> dict:
    sieve = bytearray([1]) * limit
    sieve[:2] = bytes(min(limit, 2))
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number::number] = bytes(len(range(number * number, limit, number)))
    return {"limit": limit, "primes": sum(sieve)}


@shared_task(ignore_result=True)
def tick() -> None:
    client = pubsub_redis()
    client.publish("ticks", json.dumps({"tick": client.incr("tick"), "at": timezone.now().isoformat()}))
