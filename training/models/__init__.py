"""PyTorch definitions of what the engine runs, with the parameter names of Wan2.1 and TurboDiffusion."""
