"""Recurrence: the rules by which tasks come back, and what an unsaved rule would do. No tables."""

from todo.domain.recurrence.controllers import RecurrenceController
from todo.module import Module

MODULE = Module(routes=[RecurrenceController])
