"""Comments: what people write below a task, and whom they mention."""
