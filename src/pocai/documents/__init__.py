"""Documents: bytes of any format become pages of lines, rules, fills, pictures and tables."""
