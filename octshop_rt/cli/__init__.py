"""The command line: `octshop-rt …`. Every refusal is one line and exit code 2; a finding is exit code 1."""

from octshop_rt.cli.commands import main

__all__ = ["main"]
