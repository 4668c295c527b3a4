"""The face of chat over HTTP: one module per audience and noun."""
