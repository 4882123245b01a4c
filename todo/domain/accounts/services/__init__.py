"""The verbs of accounts, one file for each thing that a person can have or lose."""
