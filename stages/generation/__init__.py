"""What `generate` is written with: the pack that says what rows are about, and the ways to make them of it."""
