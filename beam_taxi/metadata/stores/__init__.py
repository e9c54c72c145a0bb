"""The kinds of ML Metadata stores, one module each; `registry.py` maps URI schemes to them."""
