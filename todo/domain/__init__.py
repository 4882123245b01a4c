"""The domain modules in order: accounts, recurrence, tasks, ... A module imports only modules named before it."""
