"""What a file says of itself: its structure, its metadata, its JPEG tables; never its pixels.

It may be imported by every package above base; the decoder reads it inside its own processes.
"""
