"""The dock panel: it knows core's facts, no algorithm internals and no torch."""
