"""The outbox: messages written in the transaction that causes them and delivered by the worker."""
