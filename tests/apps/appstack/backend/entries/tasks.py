# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from celery import shared_task

from entries.models import Entry


@shared_task
def shout(number: int) -> None:
    entry = Entry.objects.get(pk=number)
    entry.shouted = entry.text.upper()
    entry.save(update_fields=["shouted"])
