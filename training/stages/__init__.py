"""One file for each thing that is trained, in the order in which training/run.py trains them."""
