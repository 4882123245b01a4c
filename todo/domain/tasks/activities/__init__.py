"""Activities: what people did with shared work, until the others are notified of it."""
