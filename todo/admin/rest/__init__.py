"""`/api/admin/<resource>`: handlers written once; the document has exact types for each resource."""
