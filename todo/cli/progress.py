"""What a command shows while it takes long."""

from rich.console import Console
from rich.status import Status


def working(sentence: str) -> Status:
    """Show on a terminal what is being done for the time of the block; elsewhere nothing."""
    return Console(stderr=True).status(sentence)
