"""What every command needs: words in, output, progress and exit codes."""
