"""Accounts: users, roles, and authentication."""

from todo.domain.accounts.admin import ADMINS
from todo.domain.accounts.jobs import CRONS
from todo.domain.accounts.services.dashboard import CARDS
from todo.module import Module

MODULE = Module(schedules=CRONS, admins=ADMINS, dashboard=CARDS)
