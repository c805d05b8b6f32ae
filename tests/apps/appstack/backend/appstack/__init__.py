# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Tasks sent from the web processes go to the configured broker only if the Celery app exists there.
from appstack.celery import app as celery_app

__all__ = ["celery_app"]
