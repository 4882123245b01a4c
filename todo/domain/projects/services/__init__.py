"""Adding, changing and sharing projects."""
