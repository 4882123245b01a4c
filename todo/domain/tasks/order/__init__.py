"""The order that people give tasks by hand."""
