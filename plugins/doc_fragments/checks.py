# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check may ask, apart from the module that makes it."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  checks:
    description:
      - The checks, each with one of O(checks[].url), O(checks[].tcp), O(checks[].container), O(checks[].command),
        O(checks[].postgresql), O(checks[].redis), O(checks[].celery) and O(checks[].queue).
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - A name for the check, unique in the list.
        type: str
        required: true
      timeout:
        description:
          - How many seconds one try may take. Without it 5; 15 for a command; 20 for Celery and for events.
        type: float
      interval:
        description:
          - How many seconds are between two tries. Without it 1; 2 for a command and for Celery.
        type: float
      deadline:
        description:
          - After how many seconds this check has failed, if not after O(deadline).
        type: float
      successes:
        description:
          - How many times in a row it has to pass. Without it once is enough.
        type: int
      url:
        description:
          - An C(http), C(https), C(ws) or C(wss) address as seen from the host. It may hold no credentials, as it is shown.
        type: str
      method:
        description:
          - The method of an HTTP request. Without it V(GET).
        type: str
      status:
        description:
          - The status that passes. Without it 200, any redirect where O(checks[].location) is given, 101 for a WebSocket.
        type: int
      headers:
        description:
          - Headers to send. Their values are masked, except those of well-known harmless headers like C(Host).
        type: dict
      body:
        description:
          - A regular expression that must match somewhere in the body's first 64 KiB.
            Without it, the body of an answer that passes is not read, so an endless stream may be checked.
        type: str
      location:
        description:
          - A regular expression that must match where the answer redirects to.
        type: str
      response_headers:
        description:
          - Headers that the answer must have, each with a regular expression for its value. The case of names does not count.
        type: dict
      certificate_days:
        description:
          - For how many more days the server's certificate must count.
        type: int
      verify:
        description:
          - Whether the server's certificate must be trusted, and be for the host of O(checks[].url). Without it, it must.
        type: bool
      address:
        description:
          - Connect to this place, while the certificate and the header C(Host) are judged and sent for O(checks[].url).
        type: str
      event:
        description:
          - A regular expression for the data of a server-sent event. The check passes with the first that matches; an empty
            one matches any.
        type: str
      tcp:
        description:
          - A place that must take connections.
        type: str
      container:
        description:
          - A service. Each of its containers must be healthy, or run where it has no healthcheck.
        type: str
      command:
        description:
          - The words of a command that must end with 0 in a container of O(checks[].service). It is ended with its try.
        type: list
        elements: str
      service:
        description:
          - The service for O(checks[].command).
        type: str
      output:
        description:
          - A regular expression that must match somewhere in the first 64 KiB that the command writes.
        type: str
      postgresql:
        description:
          - A place, with port 5432 unless it has one, where a PostgreSQL or a pooler must take sessions. Nobody logs in.
        type: str
      user:
        description:
          - Whom the session of O(checks[].postgresql) is for, C(portside) unless given. The server need not know it; one that writes down
            whom it does not know, as PgBouncer does, should.
        type: str
      database:
        description:
          - The database of that session, C(postgres) unless given.
        type: str
      redis:
        description:
          - A place, with port 6379 unless it has one, where a Redis must answer a C(PING).
        type: str
      password_secret:
        description:
          - The secret of the stack that is the password of O(checks[].redis) or O(checks[].queue), below C(secrets) in
            O(directory), in the version of O(release) or else the newest.
        type: str
      celery:
        description:
          - A service in whose container the workers of O(checks[].app) are asked whether they are there.
        type: str
      app:
        description:
          - The Celery application, as after C(celery -A).
        type: str
      workers:
        description:
          - How many workers must answer. Without it one is enough.
        type: int
      queue:
        description:
          - A list in Redis in which no more may wait than its C(max).
        type: dict
        suboptions:
          redis:
            description:
              - The place of the Redis, as O(checks[].redis).
            type: str
            required: true
          name:
            description:
              - The key of the list. Without it V(celery).
            type: str
          database:
            description:
              - The number of the database. Without it 0.
            type: int
          max:
            description:
              - How many may wait. Without it 100.
            type: int
"""
