"""The package's version, for Hello and the command line."""

__version__ = "0.1.0"
