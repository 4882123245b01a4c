"""The library for WebAuthn, so that only what uses a passkey loads it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import options_to_json_dict, parse_authentication_credential_json
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

REQUIRED = UserVerificationRequirement.REQUIRED


class WebAuthn:
    """Options for browsers and the verification of their answers.

    An answer that does not verify is None: the library raises errors of many kinds for hostile bytes.
    """

    @staticmethod
    def registration_options(
        rp_id: str, user_id: UUID, user_name: str, challenge: bytes, others: Iterable[bytes]
    ) -> dict[str, Any]:
        """Return the options for a new passkey; `others` are the ids of the credentials the user has."""
        options = generate_registration_options(
            rp_id=rp_id, rp_name="todo", user_id=user_id.bytes, user_name=user_name, challenge=challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=id) for id in others],
        )  # fmt: skip
        return options_to_json_dict(options)

    @staticmethod
    def verified_registration(
        rp_id: str, origin: str, challenge: bytes, credential: dict[str, Any]
    ) -> VerifiedRegistration | None:
        try:
            return verify_registration_response(
                credential=credential, expected_challenge=challenge, expected_rp_id=rp_id, expected_origin=origin,
                require_user_verification=True,
            )  # fmt: skip
        except Exception:
            return None

    @staticmethod
    def authentication_options(rp_id: str, challenge: bytes) -> dict[str, Any]:
        options = generate_authentication_options(rp_id=rp_id, challenge=challenge, user_verification=REQUIRED)
        return options_to_json_dict(options)

    @staticmethod
    def parsed_assertion(credential: dict[str, Any]) -> AuthenticationCredential | None:
        try:
            return parse_authentication_credential_json(credential)
        except Exception:
            return None

    @staticmethod
    def verified_count(
        rp_id: str, origin: str, challenge: bytes, assertion: AuthenticationCredential, public_key: bytes, count: int
    ) -> int | None:
        """Return the authenticator's new signature count."""
        try:
            return verify_authentication_response(
                credential=assertion, expected_challenge=challenge, expected_rp_id=rp_id, expected_origin=origin,
                credential_public_key=public_key, credential_current_sign_count=count, require_user_verification=True,
            ).new_sign_count  # fmt: skip
        except Exception:  # the stored key may be hostile too
            return None
