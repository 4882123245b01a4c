"""The OpenAPI documents: what Litestar and msgspec know, completed and made fit for generated clients."""
