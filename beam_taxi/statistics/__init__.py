"""TFDV's options from ours, and what its statistics are of; no Beam here."""
