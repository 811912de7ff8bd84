"""Blocks that more than one family uses, and the selective scan with its backends."""
