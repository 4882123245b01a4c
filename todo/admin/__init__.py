"""The admin engine: one declaration per resource, three faces. Knows no room; another Litestar project can take it."""
