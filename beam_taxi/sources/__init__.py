"""CSV bytes to typed Arrow batches; no Beam here."""
