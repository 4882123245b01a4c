"""What a long text looks like while it is written."""

from typing import Any

from litestar import Controller, Request, Response, post

from todo.admin.pages.forms import sent_by
from todo.admin.pages.guards import may_enter
from todo.admin.pages.sign_in import PagesDependency


class MarkdownPreviewPage(Controller):
    """Markdown as HTML; nothing is stored."""

    guards = [may_enter]

    @post("/preview", operation_id="admin_preview_markdown", status_code=200, opt={"changes_nothing": True})
    async def preview(self, pages: PagesDependency, request: Request[Any, Any, Any]) -> Response[str]:
        """Return a text as HTML.

        Example: `POST /admin/preview` with the field `text`
        """
        text = (await sent_by(request)).get("text", [""])[-1]
        return pages.render(request.scope, "markdown.html", text=text)
