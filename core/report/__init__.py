"""Reports: one HTML file that a person can read and print, and the same numbers as JSON."""
