"""Finding tasks, changing them, and bringing up the turns of series."""
