"""`/api/projects`."""
