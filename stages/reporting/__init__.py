"""What the report is written with: figures, the gate, plots and the card."""
