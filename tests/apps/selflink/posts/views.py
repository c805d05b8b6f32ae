# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from celery.result import AsyncResult
from django.core.files.storage import default_storage
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.generics import GenericAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from posts.models import Post
from posts.tasks import count_primes


class PostSerializer(serializers.ModelSerializer):
    class Meta:
        model = Post
        fields = ["id", "title", "body", "created_at"]


class PostViewSet(mixins.CreateModelMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    queryset = Post.objects.all()
    serializer_class = PostSerializer


class TaskSerializer(serializers.Serializer):
    limit = serializers.IntegerField(min_value=1, max_value=1_000_000, default=100_000, write_only=True)
    id = serializers.UUIDField(read_only=True)
    state = serializers.CharField(read_only=True)
    result = serializers.JSONField(read_only=True)


def describe(task: AsyncResult) -> dict:
    state = task.state
    result = task.result if state == "SUCCESS" else str(task.result) if state == "FAILURE" else None
    return {"id": task.id, "state": state, "result": result}


class TaskView(GenericAPIView):
    serializer_class = TaskSerializer

    def post(self, request):
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        task = count_primes.delay(serializer.validated_data["limit"])
        return Response(describe(task), status=status.HTTP_202_ACCEPTED)


class TaskResultView(GenericAPIView):
    serializer_class = TaskSerializer

    def get(self, request, task_id):
        return Response(describe(AsyncResult(str(task_id))))


class UploadSerializer(serializers.Serializer):
    file = serializers.FileField(write_only=True)
    url = serializers.CharField(read_only=True)


class UploadView(GenericAPIView):
    serializer_class = UploadSerializer
    parser_classes = [MultiPartParser]

    @extend_schema(responses={201: UploadSerializer})
    def post(self, request):
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        file = serializer.validated_data["file"]
        name = default_storage.save(f"uploads/{file.name}", file)
        return Response({"url": default_storage.url(name)}, status=status.HTTP_201_CREATED)
