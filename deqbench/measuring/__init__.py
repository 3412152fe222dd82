"""What trials are measured with: clocks, memory, named seeds, and what machine this is."""
