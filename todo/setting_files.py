"""Settings that name files: secrets, and the logo and the style sheet of the admin."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from todo.setting_errors import PREFIX, SettingsError, shown

LARGEST_FILE = 200_000  # bytes of what the admin shows


class SecretFiles(PydanticBaseSettingsSource):
    """Read `TODO_X` from the file in `TODO_X_FILE`, the convention for container secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return (_read(field_name, path) if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {
            _name_of(field, name): self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def _name_of(field: FieldInfo, field_name: str) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else field_name


def _read(field_name: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{PREFIX}{field_name.upper()}_FILE: cannot read {path}: {error}.") from error


def _logo(value: str) -> str:
    """Check that a logo is what browsers show."""
    try:
        logo = _start_of(value) if value else b""
    except (OSError, ValueError):
        logo = b""
    is_picture = b"<svg" in logo[:1000] or logo.startswith(b"\x89PNG")
    if value and not (is_picture and len(logo) <= LARGEST_FILE):
        raise ValueError(f"must be an SVG or PNG file of up to {LARGEST_FILE // 1000} KB, not {shown(value)}")
    return value


def _style_sheet(value: str) -> str:
    """Check that a style sheet can be read, and is neither too large nor of another encoding."""
    if value and (reason := _wrong_with(value)):
        raise ValueError(f"must be a CSS file in UTF-8 of up to {LARGEST_FILE // 1000} KB, but {shown(value)} {reason}")
    return value


def _wrong_with(path: str) -> str:
    try:
        content = _start_of(path)
        if len(content) > LARGEST_FILE:
            return "is larger"
        content.decode()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError:
        return "is not text in UTF-8"
    return ""


def _start_of(path: str) -> bytes:
    """Return as much of a file as it may have, and one byte more of a larger one."""
    with Path(path).open("rb") as file:
        return file.read(LARGEST_FILE + 1)


Logo = Annotated[str, AfterValidator(_logo)]
StyleSheet = Annotated[str, AfterValidator(_style_sheet)]
