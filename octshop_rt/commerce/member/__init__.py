"""People: who they are, how they prove it, and whether they may come in at all."""
