"""Files in object stores, archives and on servers, as fsspec reaches them.

It may be imported by every package above it. What a store says is not trusted, and no message here
repeats a library's text, which may hold signed addresses or keys.
"""
