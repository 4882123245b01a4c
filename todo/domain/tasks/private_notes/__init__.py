"""Private notes: what a person writes about a task for themselves alone."""
