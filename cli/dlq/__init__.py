"""Dead letters: their states, redrive, correction, deletion and export."""
