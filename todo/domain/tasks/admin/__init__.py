"""Tasks, series and what became of their occurrences, as operators see them."""

from todo.admin.declaration import Resource
from todo.domain.tasks.admin.projects import ProjectAdmin
from todo.domain.tasks.admin.sharing import MemberAdmin, ProjectInvitationAdmin, ProjectLinkAdmin
from todo.domain.tasks.admin.tasks import TaskAdmin
from todo.domain.tasks.admin.views import ViewAdmin
from todo.domain.tasks.comments.admin import CommentAdmin
from todo.domain.tasks.dependencies.admin import DependencyAdmin
from todo.domain.tasks.labels.admin import LabelAdmin
from todo.domain.tasks.sections.admin import SectionAdmin
from todo.domain.tasks.series.admin import OccurrenceAdmin, SeriesAdmin

ADMINS: list[type[Resource]] = [
    TaskAdmin,
    CommentAdmin,
    DependencyAdmin,
    ProjectAdmin,
    MemberAdmin,
    ProjectInvitationAdmin,
    ProjectLinkAdmin,
    SectionAdmin,
    LabelAdmin,
    ViewAdmin,
    SeriesAdmin,
    OccurrenceAdmin,
]
