"""TFDV's options, and what its statistics describe. No Beam here."""
