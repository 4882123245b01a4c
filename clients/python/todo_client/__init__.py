"""A typed client of the todo API: `TodoClient`, and a function for each operation in `todo_client.api`."""

from todo_client.helpers import etag, items, retry_on_conflict
from todo_client.problems import ProblemError, unwrap
from todo_client.session import TodoClient

__all__ = ["ProblemError", "TodoClient", "etag", "items", "retry_on_conflict", "unwrap"]
