"""What every response passes through, and the addresses that belong to no room."""
