"""Series as arithmetic sees them, what they would do, and keeping their place."""
