"""Input tables: one protocol, a module for each format, and a registry that recognizes them. No Beam here."""
