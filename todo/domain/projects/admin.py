"""Whom people know by projects, for the admin."""

from todo.admin.declaration import Known
from todo.domain.accounts.models import USER
from todo.domain.projects.queries import VISIBLE_PEOPLE

KNOWN = [Known("users", "name", USER.id.in_(VISIBLE_PEOPLE))]  # as the API shows the members of a project
