"""One file per step, in order; never changed after it was released."""
