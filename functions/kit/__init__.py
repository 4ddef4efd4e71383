"""What every function shares. A module a noun; nothing here knows a kind of claim or a cloud."""
