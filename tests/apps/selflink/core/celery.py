# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import os
import pathlib

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")

app = Celery("core")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Beat answers no ping: its health is how long ago it sent its last task.
BEAT_SENT = pathlib.Path("/tmp/beat-sent")


@signals.beat_init.connect
def watch_beat(**_):
    signals.after_task_publish.connect(note_sent, weak=False)


def note_sent(**_):
    BEAT_SENT.touch()
