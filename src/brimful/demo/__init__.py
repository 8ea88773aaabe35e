"""The demo: images for it, and the tree and figures of the story that brimful comes from."""
