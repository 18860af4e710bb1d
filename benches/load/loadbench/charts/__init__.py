"""Charts as plain SVG, readable on a light page and on a dark one."""
