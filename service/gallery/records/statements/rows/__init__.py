"""What other statements share: many new rows at once, and one page of a list."""
