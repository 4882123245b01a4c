"""What the roles of a project allow, independent of storage."""

from typing import Literal, get_args

Verb = Literal["see", "comment", "complete", "edit", "manage", "own"]
Role = Literal["viewer", "commenter", "completer", "editor", "manager", "owner"]
MemberRole = Literal["viewer", "commenter", "completer", "editor", "manager"]

VERBS: tuple[Verb, ...] = get_args(Verb)
MEMBER_ROLES: tuple[MemberRole, ...] = get_args(MemberRole)
# `edit`: add, change, delete, assign, label and order tasks; `manage`: share, rename and archive the project, and
# change its sections; `own`: delete it and hand it over.
ROLES: dict[Role, frozenset[Verb]] = {
    "viewer": frozenset({"see"}),
    "commenter": frozenset({"see", "comment"}),
    "completer": frozenset({"see", "comment", "complete"}),
    "editor": frozenset({"see", "comment", "complete", "edit"}),
    "manager": frozenset({"see", "comment", "complete", "edit", "manage"}),
    "owner": frozenset(VERBS),
}
ROLES_WITH: dict[Verb, tuple[MemberRole, ...]] = {
    verb: tuple(role for role in MEMBER_ROLES if verb in ROLES[role]) for verb in VERBS
}

MAX_LEVELS = 5
MAX_PROJECTS = 1_000  # of one owner
MAX_MEMBERS = 1_000
MAX_SECTIONS = 200
MAX_INVITATIONS = 100  # open at a time, of one project
INVITATION_DAYS = 7
MAX_LINKS = 20  # of one project


def higher(role: MemberRole, other: MemberRole) -> MemberRole:
    """Return the role that allows more."""
    return max(role, other, key=MEMBER_ROLES.index)
