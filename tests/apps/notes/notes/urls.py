# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from django.urls import path

from notes import views

urlpatterns = [
    path("health", views.health),
    path("version", views.version),
    path("notes", views.notes),
]
