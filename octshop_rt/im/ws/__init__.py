"""The WebSocket face of chat: GET /im."""
