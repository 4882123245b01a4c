"""Recurrence: how often work comes back. Arithmetic and series; no idea what a task is."""

from todo.domain.recurrence.controllers import RecurrenceController
from todo.module import Module

MODULE = Module(routes=[RecurrenceController])
