"""Services of accounts, one file per subject."""
