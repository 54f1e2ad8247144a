"""From a table to the vault: engines, the data's layout, the catalog, verification."""
