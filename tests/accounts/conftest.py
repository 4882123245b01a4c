"""Outside issuers for the tests of this room."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from accounts.hostile import FakeIssuer, Trust
from conftest import settings_for

from todo.database import Database
from todo.domain.accounts.services.issuers import Issuers
from todo.settings import Settings


@pytest.fixture
async def issuer() -> AsyncIterator[FakeIssuer]:
    server = FakeIssuer()
    await server.start()
    server.rotate()
    yield server
    await server.stop()


@pytest.fixture
async def other() -> AsyncIterator[FakeIssuer]:
    server = FakeIssuer()
    await server.start()
    server.rotate()
    yield server
    await server.stop()


@pytest.fixture
async def trust(database: Database, settings: Settings) -> AsyncIterator[Trust]:
    """Makes an Issuers that trusts these: `trust(issuer.settings())`."""
    made: list[Issuers] = []

    def trusting(*entries: dict[str, Any]) -> Issuers:
        made.append(Issuers(database, settings_for(settings.database_url, issuers=entries)))
        return made[-1]

    yield trusting
    for issuers in made:
        await issuers.close()


@pytest.fixture
def issuers(trust: Trust, issuer: FakeIssuer) -> Issuers:
    return trust(issuer.settings())
