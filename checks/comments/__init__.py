"""What the comments of a script say to us: directives, and which findings they ignore."""
