"""The vault: its port, its adapter for S3, leases, the second bucket."""
