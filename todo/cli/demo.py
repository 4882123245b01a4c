"""What `todo up --demo` fills in: three people and their work, made through the same services as everybody's."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import col
from sqlalchemy.ext.asyncio import AsyncSession

from todo.access import Actor
from todo.database import Database, now
from todo.domain.accounts.models import User
from todo.domain.accounts.schemas import Registration
from todo.domain.accounts.services import OPERATOR, AccountService, SignIn
from todo.domain.recurrence.schemas import Recurrence
from todo.domain.tasks.schemas import Day, Floating, Moment, TaskIn, Zoned
from todo.domain.tasks.services import TaskService


async def fill(database: Database, sign_in: SignIn, password: str) -> dict[str, str]:
    """Add everything in one transaction, once; what the banner tells."""
    ...
