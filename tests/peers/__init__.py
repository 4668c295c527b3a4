"""The foreign SDKs, each in its own environment, and what they prove."""
