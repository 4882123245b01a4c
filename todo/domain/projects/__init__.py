"""Projects: what tasks belong to, who shares them, and in which role."""

from todo.domain.projects.controllers.invitations import MyProjectInvitationController, ProjectInvitationController
from todo.domain.projects.controllers.links import ProjectLinkController
from todo.domain.projects.jobs import CRONS
from todo.module import Module

MODULE = Module(
    routes=[ProjectInvitationController, MyProjectInvitationController, ProjectLinkController], schedules=CRONS
)
