"""Recurrence: the rules by which tasks come back, and what an unsaved rule would do. No tables."""
