"""The function that turns an App claim into resources."""
