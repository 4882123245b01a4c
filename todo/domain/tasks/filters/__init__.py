"""The filter language of tasks: parsed by a grammar, compiled to SQL with bound values."""
