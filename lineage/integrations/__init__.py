"""What other people's training tools need to write and carry the record of a run: one module per tool, which loads it."""
