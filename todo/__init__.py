"""A self-hosted, multi-user task backend on Litestar and PostgreSQL."""

__version__ = "0.1.0"
