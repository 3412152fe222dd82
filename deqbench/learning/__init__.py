"""What a trainer minimises: losses, and the objective that counts what it is asked for."""
