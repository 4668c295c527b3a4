"""octshop-rt: a multi-merchant shop in real time; three wings (im, commerce, verify) on one foundation (core)."""

__version__ = "0.1.0"
