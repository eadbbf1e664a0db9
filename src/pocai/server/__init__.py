"""The HTTP service: the host application's middleware, and the API of pocai itself."""
