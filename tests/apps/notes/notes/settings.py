# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import os
from pathlib import Path


def secret(name: str) -> str:
    """NAME, or the content of the file that NAME_FILE names."""
    if name in os.environ:
        return os.environ[name]
    return Path(os.environ[f"{name}_FILE"]).read_text(encoding="utf-8").strip()


VERSION = os.environ["APP_VERSION"]
SECRET_KEY = secret("DJANGO_SECRET_KEY")
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "notes.urls"
WSGI_APPLICATION = "notes.wsgi.application"
INSTALLED_APPS = ["notes"]
MIDDLEWARE = ["notes.views.name_version"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["DB_HOST"],
        "NAME": "notes",
        "USER": "notes",
        "PASSWORD": secret("DB_PASSWORD"),
        "OPTIONS": {"connect_timeout": 3},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
