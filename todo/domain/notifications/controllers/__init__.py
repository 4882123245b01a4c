"""HTTP controllers, one file per subject."""
