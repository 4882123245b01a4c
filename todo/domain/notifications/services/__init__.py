"""Services of the module, one file per subject."""
