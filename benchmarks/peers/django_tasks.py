"""Django's settings and models for the peers made with Django, on the tables of the service."""

import os
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings
from uuid_utils.compat import uuid7

from benchmarks import SECRET

url = urlsplit(os.environ["DATABASE_URL"])
address = parse_qs(url.query)
settings.configure(
    SECRET_KEY=SECRET,
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    ROOT_URLCONF=os.environ["PEER_URLS"],
    APPEND_SLASH=False,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.path.lstrip("/"), "USER": url.username, "HOST": address["host"][0], "PORT": address["port"][0],
            "CONN_MAX_AGE": None,
        }
    },
    REST_FRAMEWORK={
        # The kind way: the token is verified, and no user is loaded.
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
        "PAGE_SIZE": 50,
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    SIMPLE_JWT={"SIGNING_KEY": SECRET, "USER_ID_CLAIM": "sub"},
)  # fmt: skip
django.setup()

from django.db import models  # noqa: E402 -- Django needs its settings first


class Task(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.IntegerField(default=1, editable=False)
    title = models.CharField(max_length=500)
    notes = models.TextField(blank=True, default="")
    status = models.CharField(max_length=20, default="open")
    priority = models.IntegerField(default=0)
    due = models.JSONField(null=True, default=None)
    due_at = models.DateTimeField(null=True, default=None)
    start = models.JSONField(null=True, default=None)
    deadline = models.DateField(null=True, default=None)
    estimate_minutes = models.IntegerField(null=True, default=None)
    project_id = models.UUIDField(editable=False)
    parent_id = models.UUIDField(null=True, default=None, editable=False)
    series_id = models.UUIDField(null=True, default=None, editable=False)
    occurrence = models.CharField(max_length=20, null=True, default=None, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    completed_at = models.DateTimeField(null=True, default=None, editable=False)
    deleted_at = models.DateTimeField(null=True, default=None, editable=False)
    created_by = models.UUIDField(editable=False)
    owner_id = models.UUIDField(editable=False)

    class Meta:
        app_label = "tasks"
        db_table = "tasks"
        managed = False
