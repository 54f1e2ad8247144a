"""``safetynet demo``: the product's main job on an embedded AWS, from the deletion to the verified table."""
