"""What recurrence adds to the API."""

from todo.domain.recurrence.controllers import RecurrenceController
from todo.web import Web

WEB = Web(routes=[RecurrenceController])
