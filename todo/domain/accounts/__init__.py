"""Accounts: people, their roles, and how they prove who they are."""

from todo.domain.accounts.controllers.auth import AuthController, jwks
from todo.domain.accounts.controllers.sessions import SessionController

routes = [AuthController, SessionController, jwks]
