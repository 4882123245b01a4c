"""Views: filters of tasks that are kept, for one person or for all who see a project."""
