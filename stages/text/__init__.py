"""Pure text functions that several stages use."""
