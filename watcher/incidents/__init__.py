"""What happened as people see it: one document a change, told by cause, and its life until it is over."""
