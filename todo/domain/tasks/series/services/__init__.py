"""Changing series and opening their occurrences."""
