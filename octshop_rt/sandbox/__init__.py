"""A payment channel to rehearse with: WeChat Pay's API v3 over HTTP, keys of its own, never in production."""
