"""What the commands print: tables, summaries and progress, one file per theme."""
