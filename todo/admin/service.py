"""The admin service used by pages, REST and command line: permissions, validation, writes and audit."""

from todo.access import Origin
from todo.admin.actions import Actions
from todo.admin.context import AdminContext
from todo.admin.editor import Editor
from todo.admin.explanations import Explanations
from todo.admin.files import Files
from todo.admin.history import History
from todo.admin.imports import Imports
from todo.admin.queries import Queries
from todo.admin.registry import Registry
from todo.admin.views import SavedViews
from todo.database import Database, WriteSession


class AdminService:
    """Everything one actor can do in the admin. See README.md next to this file.

    Without a `session`, each write has its own transaction.
    """

    def __init__(
        self,
        registry: Registry,
        database: Database,
        origin: Origin,
        session: WriteSession | None = None,
        reason: str | None = None,
    ):
        """Raise Forbidden without access to the admin."""
        context = self.context = AdminContext(registry, database, origin, session, reason)
        self.registry, self.database, self.actor = registry, database, context.actor
        self.may, self.resource, self.resources = context.may, context.resource, context.resources
        self.queries = Queries(context)
        self.editor = Editor(context)
        self.actions = Actions(context, self.queries, self.editor)
        self.history = History(context, self.queries, self.editor)
        self.explanations = Explanations(context, self.queries)
        self.files = Files(context, self.queries)
        self.imports = Imports(context, self.queries, self.editor)
        self.views = SavedViews(context, self.queries, self.editor)
