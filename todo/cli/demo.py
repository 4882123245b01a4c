"""What `todo up --demo` fills in."""

from todo.database import Database
from todo.domain.accounts.services import SignIn


async def fill(database: Database, sign_in: SignIn) -> None:
    """Placeholder."""
