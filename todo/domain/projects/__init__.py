"""Projects: what tasks belong to, who shares them, and in which role."""

from todo.domain.projects.admin import KNOWN
from todo.domain.projects.jobs import CRONS
from todo.module import Module

MODULE = Module(schedules=CRONS, known=KNOWN)
