# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from django.db import migrations


def give_up(apps, schema_editor):
    raise RuntimeError("tags cannot be told from notes")


class Migration(migrations.Migration):
    # As when a database has no transactions for this: what came before the failure stays.
    atomic = False
    dependencies = [("notes", "0001_initial")]
    operations = [
        migrations.RunSQL("CREATE TABLE IF NOT EXISTS notes_tag (name text)"),
        migrations.RunPython(give_up),
    ]
