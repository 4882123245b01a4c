"""The same requests, answered as others would build it: see ../README.md."""
