"""The pages of the admin: made on the server, at home in a browser, with scripts and without."""

from litestar.types import ControllerRouterHandler

from todo.admin.pages.acts import ActPages
from todo.admin.pages.assets import admin_file
from todo.admin.pages.cells import CellPages
from todo.admin.pages.dashboard import DashboardPage
from todo.admin.pages.docs import DocsPages
from todo.admin.pages.files import FilePages
from todo.admin.pages.finding import FindingPages
from todo.admin.pages.guards import pages_router
from todo.admin.pages.histories import HistoryPages
from todo.admin.pages.lists import ListPages
from todo.admin.pages.rows import RowPages
from todo.admin.pages.sign_in import SignInPages
from todo.admin.pages.views import ViewPages

PAGES = (
    SignInPages, DashboardPage, FindingPages, DocsPages, ListPages, RowPages, HistoryPages, ActPages, CellPages,
    FilePages, ViewPages,
)  # fmt: skip
routes: list[ControllerRouterHandler] = [admin_file, pages_router(*PAGES)]
