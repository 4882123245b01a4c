"""Tasks: the work itself, and the occurrences of its series."""

from todo.domain.tasks.admin import ADMINS
from todo.domain.tasks.comments.controllers import CommentController
from todo.domain.tasks.controllers.account_deletion import delete_account
from todo.domain.tasks.controllers.filters import FilterController
from todo.domain.tasks.controllers.linked import LinkedController
from todo.domain.tasks.controllers.projects import WholeProjectController
from todo.domain.tasks.controllers.tasks import TaskController
from todo.domain.tasks.controllers.trash import TrashController
from todo.domain.tasks.dependencies.controllers import DependencyController
from todo.domain.tasks.jobs import CRONS
from todo.domain.tasks.labels.controllers import LabelController
from todo.domain.tasks.private_notes.controllers import PrivateNoteController
from todo.domain.tasks.sections.controllers import SectionController
from todo.domain.tasks.series.controllers import SeriesController
from todo.domain.tasks.series.jobs import GAUGES, LOOPS
from todo.domain.tasks.services.dashboard import CARDS
from todo.domain.tasks.services.explaining import EXPLAINERS
from todo.domain.tasks.views.controllers import ViewController
from todo.module import Module

MODULE = Module(
    routes=[
        TaskController,
        CommentController,
        DependencyController,
        FilterController,
        LinkedController,
        SectionController,
        SeriesController,
        TrashController,
        WholeProjectController,
        delete_account,
        LabelController,
        ViewController,
        PrivateNoteController,
    ],
    schedules=CRONS,
    loops=LOOPS,
    gauges=GAUGES,
    admins=ADMINS,
    explainers=EXPLAINERS,
    dashboard=CARDS,
)
