"""The admin engine: one declaration, three faces. Knows no room."""
