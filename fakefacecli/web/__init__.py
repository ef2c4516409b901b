"""The page of `fakeface ui`: a scan in a browser, for people without a command line.

It judges with the stages of `scan` itself; what is shown is what a report would say.
"""
