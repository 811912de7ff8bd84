"""Everything between files and arrays: scenes, grids, labels and the rasters written at the end."""
