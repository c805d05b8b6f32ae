# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from django.conf import settings
from django.contrib import admin
from django.http import JsonResponse
from django.urls import include, path, re_path
from django.views.static import serve
from entries.views import EntryViewSet
from rest_framework.routers import DefaultRouter

from appstack.health import health


def config(request):
    return JsonResponse({"title": "appstack", "api": "/api/v1/"})


router = DefaultRouter()
router.register("entries", EntryViewSet)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/v1/health/", health),
    path("api/v1/config/frontend/", config),
    path("api/v1/", include(router.urls)),
    # Good enough for tests; others have WhiteNoise or nginx for it.
    re_path("^static/(?P<path>.+)$", serve, {"document_root": settings.STATIC_ROOT}),
    re_path("^media/(?P<path>.+)$", serve, {"document_root": settings.MEDIA_ROOT}),
]
