"""Saved views: named lists, private or shared."""

from typing import Any

from litestar import Controller, Request, Response, post
from litestar.params import FromPath

from todo.admin.pages.forms import sent_by
from todo.admin.pages.guards import may_enter
from todo.admin.pages.list_state import read_state
from todo.admin.pages.sign_in import PagesDependency
from todo.errors import Conflict, Invalid

AnyRequest = Request[Any, Any, Any]


class ViewPages(Controller):
    """Saved views of a list."""

    guards = [may_enter]

    @post("/{resource:str}/views", operation_id="admin_save_view", status_code=303)
    async def save(self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str]) -> Response[Any]:
        """Save the current list under a name.

        Example: `POST /admin/tasks/views` with the fields `name`, `state`, `shared`
        """
        sent, say = await sent_by(request), pages.language(request.scope)
        name, query = (sent.get(field, [""])[-1] for field in ("name", "state"))
        state = read_state(f"/admin/{resource}", query.removeprefix("?"))
        try:
            kept = state.query("cursor").removeprefix("?")
            await pages.admin(request).views.save(resource, name.strip(), kept, shared="shared" in sent)
        except (Invalid, Conflict) as problem:
            said = " ".join(error.message for error in problem.errors) or "You already have a view with this name."
            return pages.go(state.href(), refused=f"{say.gettext('The view was not saved.')} {say.translate(said)}")
        return pages.go(state.href(), done=say.gettext("The view %(name)s was saved.", name=name))

    @post("/{resource:str}/views/{view_id:str}/delete", operation_id="admin_delete_view", status_code=303)
    async def delete(
        self, pages: PagesDependency, request: AnyRequest, resource: FromPath[str], view_id: FromPath[str]
    ) -> Response[Any]:
        """Delete one of your own views.

        Example: `POST /admin/tasks/views/0190f5f0-7c1d-7000-8000-000000000000/delete`
        """
        await pages.admin(request).views.delete(view_id)
        return pages.go(f"/admin/{resource}", done="The view was deleted.")
