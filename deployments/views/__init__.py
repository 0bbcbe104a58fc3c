"""Thin functions: load, call one service, answer. A view opens neither a target nor Redis."""
