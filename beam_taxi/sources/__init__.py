"""Tables where they lie: one protocol, a module for each format, and a registry that recognizes them; no Beam here."""
