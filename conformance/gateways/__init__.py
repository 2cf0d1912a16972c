"""How a gateway changes requests and responses: both sides of each request, matched and compared."""
