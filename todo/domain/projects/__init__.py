"""Projects: what tasks belong to, who shares them, and in which role."""
