"""What is installed: the suite's rooms, and the command that runs them."""
