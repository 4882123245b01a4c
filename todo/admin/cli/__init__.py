"""The admin on the command line: commands over an AdminService."""
