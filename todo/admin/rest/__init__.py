"""`/api/admin/<resource>`: routes generated from the declarations, each with its exact types."""
