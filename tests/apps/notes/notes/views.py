# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
import json
import time

from django.conf import settings
from django.db import connection
from django.http import HttpResponseNotAllowed, JsonResponse
from django.views.decorators.http import require_GET

from notes.models import Note

NEWEST = 20


def name_version(get_response):
    """Middleware: every answer says which version gave it."""

    def answer(request):
        response = get_response(request)
        response["X-Version"] = settings.VERSION
        return response

    return answer


@require_GET
def health(request):
    # ?wait=SECONDS: as slow as the one who asks wants it.
    time.sleep(float(request.GET.get("wait", 0)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


@require_GET
def version(request):
    return JsonResponse({"version": settings.VERSION})


def notes(request):
    if request.method == "GET":
        return JsonResponse({"count": Note.objects.count(), "notes": list(Note.objects.order_by("-id").values()[:NEWEST])})
    if request.method == "POST":
        note = Note.objects.create(text=json.loads(request.body)["text"])
        return JsonResponse({"id": note.id}, status=201)
    return HttpResponseNotAllowed(["GET", "POST"])
