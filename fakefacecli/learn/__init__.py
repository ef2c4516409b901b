"""Learning from labelled faces, and measuring what was learnt."""
