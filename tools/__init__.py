"""Programs around the suite: nothing in here runs in production."""
