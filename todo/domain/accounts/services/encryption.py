"""Encryption of secrets in the database with `TODO_SECRET_KEY`."""

import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from todo.setting_errors import SettingsError
from todo.settings import SecretKey


def cipher(key: str, purpose: str) -> AESGCM:
    """Return AES-256-GCM with a separate key for each purpose."""
    return AESGCM(sha256(f"todo {purpose}".encode() + key.encode()).digest())


def encrypt(plain: bytes, secret: SecretKey, purpose: str) -> bytes:
    """Encrypt for storage with the current key. The nonce is prepended."""
    nonce = os.urandom(12)
    return nonce + cipher(secret.current, purpose).encrypt(nonce, plain, None)


def decrypt(stored: bytes, secret: SecretKey, purpose: str) -> bytes:
    """Decrypt with the current or a former key. Raise SettingsError when none fits."""
    for key in secret.all:
        try:
            return cipher(key, purpose).decrypt(stored[:12], stored[12:], None)
        except InvalidTag:
            continue
    raise SettingsError("TODO_SECRET_KEY: not the key this database's secrets were encrypted with.")


def rewrapped(stored: bytes, secret: SecretKey, purpose: str) -> bytes | None:
    """Encrypt with the current key what only a former one decrypts, or return None. Raise SettingsError for no key."""
    plain = decrypt(stored, secret, purpose)
    try:
        cipher(secret.current, purpose).decrypt(stored[:12], stored[12:], None)
    except InvalidTag:
        return encrypt(plain, secret, purpose)
    return None
