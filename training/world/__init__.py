"""The small world the demo model knows: what can be said of it and how it looks."""
