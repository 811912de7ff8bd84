"""A stand-in for QGIS with Qt 6: its names for Qt, and nothing else."""
