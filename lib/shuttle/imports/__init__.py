"""The import of a file: upload, parsing, validation of each row, and the report."""
