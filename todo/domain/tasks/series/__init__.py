"""Series and their occurrences: the rules that make tasks come back, and what they have opened."""
