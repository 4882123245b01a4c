"""Accounts: people, their roles, and how they prove who they are."""

from todo.domain.accounts.controllers.auth import AuthController

routes = [AuthController]
