"""The outbox: what is to reach somebody outside, written in the transaction of its cause, delivered by the worker."""
