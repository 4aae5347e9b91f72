"""git-strata: the Git-native, local-first home of a machine-learning project's whole life."""

__version__ = "0.1.0"
__all__ = ["__version__"]
