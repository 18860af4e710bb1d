"""`rgunicorn doctor`: what of a configuration is unknown, ignored, deprecated, refused or risky.

A check is a function of a `Subject` (the configuration, and where each value comes from) and a
`Machine` (what it runs on) that yields findings. Nothing here starts a server.
"""
