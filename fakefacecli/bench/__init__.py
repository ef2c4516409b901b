"""How fast this machine scans, stage by stage.

Only the command line imports it.
"""
