"""A small, correct OpenAI server and its faults; see README.md."""
