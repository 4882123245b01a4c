"""What accounts look like on the wire, one file for each subject."""
