"""What differs between two versions, in layers: settings, sources, code, rows with their causes, distributions."""
