"""What the API reads and writes: request and answer models, and the functions that make answers of rows."""
