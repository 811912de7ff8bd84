"""What every family needs to learn from labels, whatever its network."""
