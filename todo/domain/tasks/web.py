"""What tasks, their series and all that belongs to them add to the API."""

from pathlib import Path

from todo.domain.tasks.comments.controllers import CommentController
from todo.domain.tasks.controllers.account_deletion import delete_account
from todo.domain.tasks.controllers.filters import FilterController
from todo.domain.tasks.controllers.linked import LinkedController
from todo.domain.tasks.controllers.projects import WholeProjectController
from todo.domain.tasks.controllers.tasks import TaskController
from todo.domain.tasks.controllers.trash import TrashController
from todo.domain.tasks.dependencies.controllers import DependencyController
from todo.domain.tasks.labels.controllers import LabelController
from todo.domain.tasks.private_notes.controllers import PrivateNoteController
from todo.domain.tasks.sections.controllers import SectionController
from todo.domain.tasks.series.controllers import SeriesController
from todo.domain.tasks.views.controllers import ViewController
from todo.web import Web

WEB = Web(
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
    templates=[Path(__file__).parent / "templates"],
)
