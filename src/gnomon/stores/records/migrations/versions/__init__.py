"""The migrations. One that was released is never changed; a mistake in it is mended by the next."""
