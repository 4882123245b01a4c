"""API schemas of quotas."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Resource = Literal["tasks", "series", "reminders", "tokens", "storage"]


class Usage(Struct):
    """What is used, and the limit; `limit` is null when there is none."""

    used: int
    limit: int | None


class UsageOut(Struct):
    """What an account stores. Everything counts until it is deleted permanently; `storage` is in bytes."""

    tasks: Annotated[Usage, Meta(description="Tasks, closed ones and those in the trash included.")]
    series: Annotated[Usage, Meta(description="Series that have not ended.")]
    reminders: Annotated[Usage, Meta(description="Reminders, sent ones included.")]
    tokens: Annotated[Usage, Meta(description="Personal access tokens that are not revoked.")]
    storage: Annotated[
        Usage, Meta(description="Bytes of titles, notes, the templates of series, comments, and private notes.")
    ]


class QuotaIn(Struct, forbid_unknown_fields=True):
    """One limit of a user: 0 for no limit, nothing for the default. Storage is in megabytes."""

    resource: Resource
    limit: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
