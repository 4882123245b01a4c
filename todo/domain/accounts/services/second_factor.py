"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for the day it is lost."""

import base64
import secrets
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pyotp
from pyotp.exceptions import OTPVerificationError
from sqlalchemy import bindparam, delete, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from todo.access import Actor
from todo.audit import record
from todo.database import Database, Query, now
from todo.domain.accounts import schemas
from todo.domain.accounts.models import PASSKEY, RECOVERY_CODE, TOTP, USER, Passkey, RecoveryCode, Totp
from todo.domain.accounts.schemas.second_factor import Enrolment, Proof, RecoveryCodes, SecondFactors
from todo.domain.accounts.services.keys import decrypt, encrypt
from todo.domain.accounts.services.passwords import Passwords
from todo.errors import Conflict, Forbidden, Invalid
