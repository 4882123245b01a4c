"""`/api/tasks`, `/api/trash` and `/api/series`."""
