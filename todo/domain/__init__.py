"""The rooms, from the ground up: accounts, recurrence, tasks. A room imports only the rooms named before it."""
