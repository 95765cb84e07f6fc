"""What differs between two versions, in layers: settings, sources and code, rows with their causes, distributions, metrics."""
