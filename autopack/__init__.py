"""autopack builds software phase by phase, under rules that are written down before it starts.

This module is imported by every start, `--version` included: it stays free of imports.
"""

__version__ = "0.1.0"
