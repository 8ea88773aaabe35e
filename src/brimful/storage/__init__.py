"""Storage: where the bytes of a store or a run lie. One file for each kind of place."""
