"""Finding tasks, changing them, and bringing up the occurrences of series."""
