"""What every segmenting family shares: working grid, windows, blending, training, clean maps."""
