"""Backups: one file with the whole database, checksums of every table and, when it is encrypted, the secret key."""
