"""`DELETE /api/auth/me`: account deletion, and what becomes of the projects that others use."""

from litestar import delete
from litestar.di import NamedDependency
from litestar.params import JSONBody

from todo.access import Origin, requires
from todo.database import Database
from todo.domain.accounts.schemas.email_tokens import DeletionScheduled
from todo.domain.accounts.services.account_deletion import leave
from todo.domain.accounts.services.reauthentication import Reauthentication
from todo.domain.accounts.services.sign_in import SignIn
from todo.domain.tasks.schemas import AccountDeletion
from todo.domain.tasks.services.owned_projects import settle
from todo.settings import secret_key


@delete("/api/auth/me", operation_id="leave", status_code=200, tags=["Accounts"], guards=[requires("accounts.leave")])
async def delete_account(
    database: NamedDependency[Database],
    sign_in: NamedDependency[SignIn],
    origin: NamedDependency[Origin],
    data: JSONBody[AccountDeletion],
) -> DeletionScheduled:
    """Schedule the deletion of your account. Signing in before the deletion cancels it.

    While you own projects that others use, choose what becomes of them, at once: `shared_projects: hand_over` makes the
    member with the highest role the owner, of equal ones the first; `delete` deletes them. Without it the answer is 409
    with their names.

    Requires your password, and your second factor if you have one: in this request, or at the sign-in of this session.

    Example: `{"password": "correct horse battery staple"}`
    """
    settings = database.settings
    reauthentication = Reauthentication(database, sign_in.passwords, secret_key(settings), origin)
    reauthenticated = await reauthentication.check_factor(data)
    async with database.session(origin) as session:
        await reauthentication.require_current(session, reauthenticated)
        await settle(session, origin.actor, data.shared_projects)
        return DeletionScheduled(await leave(session, settings, origin.actor))
