"""Push: a device whose owner is away is told, once, that a conversation has something unread (Web Push)."""
