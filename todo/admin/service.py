"""The only way to data for all three faces: who may, what is right, what is written, and its trace."""

from todo.admin.views import Views


class AdminService(Views):
    """Everything one actor can do in the admin; README.md beside this file tells how a face uses it."""
