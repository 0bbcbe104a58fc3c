"""One module per verb group. A service is one transaction: rows, audit event, notification. No I/O besides."""
