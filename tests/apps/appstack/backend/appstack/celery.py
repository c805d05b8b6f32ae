# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "appstack.settings")

app = Celery("appstack")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
