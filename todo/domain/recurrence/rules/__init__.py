"""When does work come back? Pure arithmetic: the answer depends on the arguments alone, not on a clock."""
