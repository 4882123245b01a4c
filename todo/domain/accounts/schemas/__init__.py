"""API schemas of accounts, one file per subject."""
