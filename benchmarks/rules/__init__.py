"""How fast events are judged, and how fast archives are replayed."""
