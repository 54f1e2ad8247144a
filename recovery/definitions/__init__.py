"""What a table is besides its items: read from AWS, and put back."""
