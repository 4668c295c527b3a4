"""Customer service: cases, agents, queues, and the engine that brings the two together."""
