"""What a token says about itself, and which scopes tokens may have."""

from dataclasses import replace

from todo.access import Actor
from todo.actions import PERMISSIONS
from todo.domain.accounts.schemas.personal_tokens import CurrentToken, ScopeOut, TokenKind
from todo.domain.accounts.schemas.users import Me
from todo.domain.accounts.services.personal_tokens import may_be_scope
from todo.permission_texts import text_of


def current_token(actor: Actor, me: Me) -> CurrentToken:
    """Describe the credential of a request; `me` is its account. The address is only for who may see the account."""
    if actor.expires_at is None:
        raise TypeError("Every credential of a request expires.")
    kind: TokenKind = "session" if actor.session_id else "identity_provider"
    return CurrentToken(
        kind="personal_token" if actor.token_id else kind,
        id=actor.token_id or actor.session_id,
        user_id=me.id,
        name=me.name,
        email=me.email if actor.may("accounts.me") else None,
        scopes=None if actor.scopes is None else sorted(actor.scopes),
        permissions=sorted(permission for permission in PERMISSIONS if actor.may(permission)),
        expires_at=actor.expires_at,
    )


def scopes_for(owner: Actor) -> list[ScopeOut]:
    """Return the scopes that the personal access tokens of a user may have, whatever token asks."""
    account = replace(owner, scopes=None)
    names = sorted(permission for permission in PERMISSIONS if may_be_scope(permission) and account.may(permission))
    return [ScopeOut(name, text_of(name)) for name in names]
