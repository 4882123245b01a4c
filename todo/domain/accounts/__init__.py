"""Accounts: people, their roles, and how they prove who they are."""

from todo.domain.accounts.controllers import AuthController

routes = [AuthController]
