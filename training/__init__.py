"""Makes Rushes' demo model and its golden cases. Nothing that is built, tested or run needs this package."""
