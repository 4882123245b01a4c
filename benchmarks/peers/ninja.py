"""The same endpoints with django-ninja, as its documentation teaches: ModelSchema, HttpBearer, functions."""

from typing import Any
from uuid import UUID

import jwt

from benchmarks import SECRET
from benchmarks.peers.django_tasks import Task  # configures Django, so it comes first

# isort: split
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from ninja import ModelSchema, NinjaAPI, Schema
from ninja.security import HttpBearer


class TaskOut(ModelSchema):
    class Meta:
        model = Task
        exclude = ["deleted_at", "owner_id"]


class TaskIn(Schema):
    title: str
    notes: str = ""
    status: str = "open"
    priority: int = 0
    estimate_minutes: int | None = None


class TaskPatch(Schema):
    title: str | None = None


class Bearer(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> UUID | None:
        try:
            return UUID(jwt.decode(token, SECRET, algorithms=["HS256"])["sub"])
        except (jwt.InvalidTokenError, KeyError, ValueError):
            return None


api = NinjaAPI(auth=Bearer())


def mine(request: Any) -> Any:
    return Task.objects.filter(owner_id=request.auth, deleted_at=None)


@api.get("/tasks", response=list[TaskOut])
def list_tasks(request: Any, limit: int = 50, status: str | None = None, priority: int | None = None) -> Any:
    asked = {name: value for name, value in (("status", status), ("priority", priority)) if value is not None}
    return mine(request).filter(**asked).order_by("-created_at", "-id")[:limit]


@api.get("/tasks/{task_id}", response=TaskOut)
def read_task(request: Any, task_id: UUID) -> Any:
    return get_object_or_404(mine(request), id=task_id)


@api.post("/tasks", response={201: TaskOut})
def create_task(request: Any, data: TaskIn) -> Any:
    user = request.auth
    return 201, Task.objects.create(created_by=user, owner_id=user, project_id=user, **data.dict())


@api.patch("/tasks/{task_id}", response=TaskOut)
def update_task(request: Any, task_id: UUID, data: TaskPatch) -> Any:
    task = get_object_or_404(mine(request), id=task_id)
    for name, value in data.dict(exclude_unset=True).items():
        setattr(task, name, value)
    task.version += 1
    task.save()
    return task


@api.post("/tasks/{task_id}/complete", response=TaskOut)
def complete_task(request: Any, task_id: UUID) -> Any:
    task = get_object_or_404(mine(request), id=task_id)
    task.status, task.completed_at, task.version = "done", timezone.now(), task.version + 1
    task.save()
    return task


urlpatterns = [path("api/", api.urls)]
application = get_wsgi_application()
