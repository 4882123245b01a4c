"""What holds for reminders, digests and messages, whatever stores or sends them."""
