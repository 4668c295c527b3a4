"""The whole house over HTTP and WebSocket, with real MongoDB, Redis and the payment simulator."""
