"""`/api/admin/<resource>`: generic handlers; the OpenAPI document has exact types for each resource."""
