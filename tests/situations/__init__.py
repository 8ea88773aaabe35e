"""Situations: what people reported of loaders elsewhere, each kind in several variations."""
