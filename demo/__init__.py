"""The demo: a customer, Loyalty, with its releases, data, service and users, whose database has to change."""
