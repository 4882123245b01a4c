"""HTTP, a file for each subject."""
