"""Identity providers for the tests of this room."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from conftest import settings_for
from support.factories import origin_for
from support.issuer import FakeIssuer, Trust

from todo.access import ANYBODY
from todo.database import Database
from todo.domain.accounts.services.identity_providers import IdentityProviders, NotSeenYet
from todo.domain.accounts.services.keys import Verified
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


class Admitting(IdentityProviders):
    """As for a request: whoever was not seen yet is admitted."""

    async def verify(self, token: str) -> Verified:
        try:
            return await super().verify(token)
        except NotSeenYet:
            return await self.admit(token, origin_for(ANYBODY))


@pytest.fixture
async def trust(database: Database, settings: Settings) -> AsyncIterator[Trust]:
    """Makes an IdentityProviders that trusts these: `trust(issuer.settings())`."""
    made: list[IdentityProviders] = []

    def trusting(*entries: dict[str, Any]) -> IdentityProviders:
        made.append(Admitting(database, settings_for(settings.database_url, issuers=entries)))
        return made[-1]

    yield trusting
    for issuers in made:
        await issuers.close()


@pytest.fixture
def issuers(trust: Trust, issuer: FakeIssuer) -> IdentityProviders:
    return trust(issuer.settings())
