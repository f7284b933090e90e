"""SyncService, the serving side of the stream; it owns nothing and works on two ports."""
