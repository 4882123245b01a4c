"""References to other rows: found by what people call them, shown by it."""

from uuid import UUID

from todo.admin.fields import Field
from todo.admin.service import AdminService
from todo.errors import Invalid


def is_id(text: str) -> bool:
    """Whether this is an id rather than a name."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


async def resolve(admin: AdminService, resource: str, field: Field, text: str) -> str:
    """The id of what is called `text`, which may be an id itself; raises Invalid for none, or several."""
    text = text.strip()
    if not text or is_id(text):
        return text
    options = await admin.queries.options(resource, field.name, text)
    exact = [option for option in options if option.label.casefold() == text.casefold()] or options
    if len(exact) == 1:
        return exact[0].value
    found = "No match." if not exact else f"{len(exact)} are called that; choose one, or write its id."
    raise Invalid.field(f"body.{field.name}", found)
