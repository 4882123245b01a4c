"""Labels: words on tasks, and each person's own palette of them."""
