"""The admin pages: rendered on the server, usable with and without scripts."""

from litestar.types import ControllerRouterHandler

from todo.admin.pages.actions import ActionPages
from todo.admin.pages.adding import AddPages
from todo.admin.pages.assets import admin_file
from todo.admin.pages.brand_files import brand_file
from todo.admin.pages.dashboard import DashboardPage
from todo.admin.pages.docs import DocsPages
from todo.admin.pages.files import FilePages
from todo.admin.pages.guards import pages_router
from todo.admin.pages.history import HistoryPages
from todo.admin.pages.imports import ImportPages
from todo.admin.pages.inline_edit import InlineEditPages
from todo.admin.pages.lists import ListPages
from todo.admin.pages.markdown_preview import MarkdownPreviewPage
from todo.admin.pages.rows import RowPages
from todo.admin.pages.rows_below import RowsBelowPages
from todo.admin.pages.search import SearchPages
from todo.admin.pages.sign_in import SignInPages
from todo.admin.pages.views import ViewPages

PAGES = (
    SignInPages, DashboardPage, SearchPages, DocsPages, ListPages, AddPages, RowPages, RowsBelowPages, HistoryPages,
    ActionPages, InlineEditPages, FilePages, ImportPages, ViewPages, MarkdownPreviewPage,
)  # fmt: skip
routes: list[ControllerRouterHandler] = [admin_file, brand_file, pages_router(*PAGES)]
