"""Who is at the command line."""

import os
import pwd

from uuid_utils.compat import uuid7

from todo.access import Actor, Origin


def cli_origin() -> Origin:
    """The origin of what one command changes: the account of the operating system, which may do everything."""
    operator = Actor(id=None, name=f"cli:{os_user()}", kind="operator", permissions=frozenset({"*"}))
    return Origin(operator, "cli", uuid7().hex, "")


def os_user() -> str:
    """The account of the operating system; its number where it has no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name  # not getpass: that believes the environment
    except KeyError:
        return str(os.getuid())
