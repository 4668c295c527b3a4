"""The catalogue: products, their specs and SKUs, and how each may be fulfilled."""
