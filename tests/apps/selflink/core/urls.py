# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from django.conf import settings
from django.http import JsonResponse
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from posts import views
from posts.stream import mentor_stream
from rest_framework.routers import DefaultRouter


def health(request):
    return JsonResponse({"status": "ok", "version": settings.VERSION})


router = DefaultRouter()
router.register("posts", views.PostViewSet)

urlpatterns = [
    path("health", health),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(), name="docs"),
    path("api/v1/mentor/stream/", mentor_stream),
    path("api/v1/tasks/", views.TaskView.as_view()),
    path("api/v1/tasks/<uuid:task_id>/", views.TaskResultView.as_view()),
    path("api/v1/uploads/", views.UploadView.as_view()),
    path("api/v1/", include(router.urls)),
]
