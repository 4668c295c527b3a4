"""The faces of commerce, one file per audience: what they are asked, what they answer, which service does it."""
