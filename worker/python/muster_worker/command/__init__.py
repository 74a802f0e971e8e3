"""What a person does at a terminal: `run`, `replay` and `list`, without a supervisor."""
