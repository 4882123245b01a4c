"""What projects add to the API."""

from todo.domain.projects.controllers.invitations import MyProjectInvitationController, ProjectInvitationController
from todo.domain.projects.controllers.links import ProjectLinkController
from todo.web import Web

WEB = Web(routes=[ProjectInvitationController, MyProjectInvitationController, ProjectLinkController])
