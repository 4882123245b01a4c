"""`/api/filters`."""

from typing import Annotated

from litestar import Controller, get
from msgspec import Meta, Struct

from todo.access import requires
from todo.domain.tasks.filters.fields import FIELDS, LOOKUPS, ORDERS
from todo.domain.tasks.filters.syntax import MAX_LENGTH, MAX_LEVELS, MAX_LOOKUPS, MAX_TERMS


class FilterField(Struct):
    """A field of the filter language."""

    name: Annotated[str, Meta(description="What it is called in a filter.", examples=["due"])]
    description: Annotated[str, Meta(description="What it is about.", examples=["When it is due."])]
    kind: Annotated[str, Meta(description="What its values are.", examples=["time"])]
    operators: Annotated[
        list[str],
        Meta(description="What it can be compared with; none: a flag, which stands alone.", examples=[["=", "<"]]),
    ]
    values: Annotated[str, Meta(description="What it can be compared to.", examples=["a day"])]
    choices: Annotated[list[str], Meta(description="All its values, where there are few.", examples=[["open", "done"]])]
    has: Annotated[bool, Meta(description="Whether `has` goes with it.")]
    order: Annotated[bool, Meta(description="Whether `order by` takes it.")]


class FilterLanguage(Struct):
    """The filter language, for editors: its fields and its limits."""

    fields: Annotated[list[FilterField], Meta(description="The fields.")]
    orders: Annotated[list[str], Meta(description="What `order by` takes; `-` reverses it.", examples=[["due"]])]
    max_length: Annotated[int, Meta(description="Characters in a filter.", examples=[MAX_LENGTH])]
    max_terms: Annotated[int, Meta(description="Comparisons in a filter, and values of lists.", examples=[MAX_TERMS])]
    max_lookups: Annotated[
        int, Meta(description=f"Comparisons of {', '.join(LOOKUPS)} in a filter.", examples=[MAX_LOOKUPS])
    ]
    max_levels: Annotated[int, Meta(description="Levels of conditions in each other.", examples=[MAX_LEVELS])]


LANGUAGE = FilterLanguage(
    [
        FilterField(
            field.name, field.description, field.kind.name, list(field.kind.operators), field.kind.values,
            list(field.kind.choices), "none" in field.clauses, field.name in ORDERS,
        )
        for field in FIELDS.values()
    ],
    list(ORDERS), MAX_LENGTH, MAX_TERMS, MAX_LOOKUPS, MAX_LEVELS,
)  # fmt: skip


class FilterController(Controller):
    """The filter language."""

    path = "/api/filters"
    tags = ["Tasks"]

    @get("/fields", operation_id="list_filter_fields", guards=[requires("tasks.view")], sync_to_thread=False)
    def list_filter_fields(self) -> FilterLanguage:
        """The fields of the filter language, with their operators and values, for editors.

        `GET /api/tasks?filter=` takes a filter. Conditions are joined by `and`, `or`, `not` and parentheses.

        Example: `GET /api/filters/fields`
        """
        return LANGUAGE
