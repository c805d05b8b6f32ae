# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import os

import dj_database_url
from environment import read, read_bool

DEBUG = read_bool("DJANGO_DEBUG")
SECRET_KEY = read("DJANGO_SECRET_KEY")
ALLOWED_HOSTS = [host.strip() for host in read("DJANGO_ALLOWED_HOSTS").split(",")]
VERSION = os.environ.get("APP_VERSION", "unknown")

ROOT_URLCONF = "core.urls"
ASGI_APPLICATION = "core.asgi.application"
WSGI_APPLICATION = "core.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_celery_beat",
    "rest_framework",
    "drf_spectacular",
    "posts",
]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

# PgBouncer hands the connection to somebody else after each transaction: nothing may outlive one.
DATABASES = {
    "default": dj_database_url.parse(read("DATABASE_URL"), conn_max_age=0, disable_server_side_cursors=True),
}
DATABASES["default"].setdefault("OPTIONS", {})["prepare_threshold"] = None
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": read("REDIS_URL")}}
PUBSUB_REDIS_URL = read("PUBSUB_REDIS_URL")

CELERY_BROKER_URL = read("CELERY_BROKER_URL")
CELERY_RESULT_BACKEND = read("CELERY_RESULT_BACKEND")
CELERY_RESULT_EXPIRES = 3600
CELERY_TASK_TRACK_STARTED = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"

MEDIA_ROOT = read("MEDIA_ROOT", default="/srv/media")
MEDIA_URL = "/media/"
STATIC_URL = "/static/"

USE_TZ = True
TIME_ZONE = "UTC"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 20,
}
SPECTACULAR_SETTINGS = {"TITLE": "SelfLink", "VERSION": VERSION, "SERVE_INCLUDE_SCHEMA": False}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
