"""Tables, figures and self-contained pages, made from a study's files alone."""
