"""The stages of a scan, one a file; only the pipeline joins them."""
