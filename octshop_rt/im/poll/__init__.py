"""Chat for networks that block WebSockets: POST brings frames, GET waits for them."""
