"""One file per maker's interface: `client`, `call`, and for those that have them the functions of batches."""
