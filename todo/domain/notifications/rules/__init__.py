"""Rules for reminders, digests and messages, independent of storage and delivery."""
