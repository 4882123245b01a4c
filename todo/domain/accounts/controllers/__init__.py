"""`/api/auth`, one file per subject."""
