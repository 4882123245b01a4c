"""The declaration of what a domain module adds to HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from litestar.types import ControllerRouterHandler

from todo.admin.pages.renderer import Link, RowLink


@dataclass(frozen=True, kw_only=True)
class Web:
    """Everything of a module that `todo/app.py` registers, for servers only.

    `navigation` are further pages of the admin, `row_links` links of its rows, `templates` folders of Jinja templates.
    """

    routes: Sequence[ControllerRouterHandler] = ()
    navigation: Sequence[Link] = ()
    row_links: Sequence[RowLink] = ()
    templates: Sequence[Path] = ()
