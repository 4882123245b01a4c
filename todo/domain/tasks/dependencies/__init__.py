"""Tasks that wait for others, their blockers."""
