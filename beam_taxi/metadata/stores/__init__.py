"""The kinds of ML Metadata stores, a module each; `registry.py` names them by the scheme of their URI."""
