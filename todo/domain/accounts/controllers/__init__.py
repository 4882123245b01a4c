"""`/api/auth`, one file for each subject."""
