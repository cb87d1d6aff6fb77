"""Many models on many targets: one record for each, whatever becomes of the others."""
