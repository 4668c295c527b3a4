"""HTTP: a table of declared routes, the door in front of each, the edge in front of all, and the API's own papers."""
