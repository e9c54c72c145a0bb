"""The runners of Beam: what each checks, shows, sets by default and waits for."""
