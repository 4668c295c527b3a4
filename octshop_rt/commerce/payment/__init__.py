"""Payment: money from a channel for parts of anything. It knows subjects and amounts, never orders."""
