"""HTTP: middleware, request parsing, limits and the routes that belong to no domain module."""
