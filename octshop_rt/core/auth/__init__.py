"""Who is asking, and what they may do: principals, permissions, sessions, passwords, throttles."""
