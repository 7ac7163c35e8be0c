"""Define the commands, one module each; they import late, so that --help answers at once."""
