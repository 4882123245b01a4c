"""What accounts add to the API and to the pages of the administration."""

from pathlib import Path

from todo.admin.pages.guards import pages_router
from todo.domain.accounts.controllers.account_pages import AccountPages, SecondFactorPages
from todo.domain.accounts.controllers.auth import AuthController, jwks
from todo.domain.accounts.controllers.email_change import EmailChangeController
from todo.domain.accounts.controllers.email_pages import EmailPages
from todo.domain.accounts.controllers.email_tokens import EmailTokenController
from todo.domain.accounts.controllers.impersonation_pages import ROW_LINKS, ImpersonationPages
from todo.domain.accounts.controllers.invitations import InvitationController
from todo.domain.accounts.controllers.personal_tokens import TokenController
from todo.domain.accounts.controllers.public_pages import account_file, account_page
from todo.domain.accounts.controllers.role_pages import ROLE_LINKS, RolePages
from todo.domain.accounts.controllers.second_factor import PasskeyController, SecondFactorController
from todo.domain.accounts.controllers.sessions import SessionController
from todo.domain.accounts.controllers.token_info import get_token, list_scopes
from todo.domain.accounts.controllers.usage import get_usage
from todo.domain.accounts.controllers.vacation_pages import VacationPages
from todo.domain.accounts.controllers.vacations import VacationController
from todo.web import Web

WEB = Web(
    routes=[
        account_page, account_file, jwks,
        AuthController, SessionController, SecondFactorController, PasskeyController, TokenController,
        EmailTokenController, EmailChangeController, InvitationController, VacationController,
        get_token, list_scopes, get_usage,
        pages_router(AccountPages, SecondFactorPages, VacationPages, EmailPages, ImpersonationPages, RolePages),
    ],
    row_links=(*ROW_LINKS, *ROLE_LINKS),
    templates=[Path(__file__).parent / "templates"],
)  # fmt: skip
