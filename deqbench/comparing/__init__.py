"""Several runs side by side: may they be compared, put together, and did the second get better or worse."""
