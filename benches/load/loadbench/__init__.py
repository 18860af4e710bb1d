"""The load harness: WSGI servers side by side under the same load. Start it with run.py."""
