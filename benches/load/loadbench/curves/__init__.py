"""How the cost of a request grows: with connections, header fields, bodies."""
