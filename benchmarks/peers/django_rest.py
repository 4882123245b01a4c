"""The same endpoints with Django REST framework, as its documentation teaches: a ModelViewSet and a router."""

from typing import Any

from benchmarks.peers.django_tasks import Task  # configures Django, so it comes first

# isort: split
from django.core.wsgi import get_wsgi_application
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter


class TaskSerializer(serializers.ModelSerializer[Task]):
    class Meta:
        model = Task
        exclude = ("deleted_at", "owner_id")


class TaskViewSet(viewsets.ModelViewSet[Task]):
    serializer_class = TaskSerializer

    def get_queryset(self) -> QuerySet[Task]:
        mine = Task.objects.filter(owner_id=self.request.user.id, deleted_at=None)
        query = self.request.query_params
        asked = {name: query[name] for name in ("status", "priority") if name in query}
        return mine.filter(**asked).order_by("-created_at", "-id")

    def perform_create(self, serializer: Any) -> None:
        user = self.request.user.id
        serializer.save(created_by=user, owner_id=user, project_id=user)

    def perform_update(self, serializer: Any) -> None:
        serializer.save(version=serializer.instance.version + 1)

    @action(detail=True, methods=["post"])
    def complete(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        task.status, task.completed_at, task.version = "done", timezone.now(), task.version + 1
        task.save()
        return Response(self.get_serializer(task).data)


router = SimpleRouter(trailing_slash=False)
router.register("api/tasks", TaskViewSet, basename="task")
urlpatterns = router.urls
application = get_wsgi_application()
