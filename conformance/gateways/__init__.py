"""What a gateway does to what goes through it: both sides of each request, matched and compared."""
