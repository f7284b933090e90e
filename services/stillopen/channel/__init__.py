"""ChannelDataService: what registers ask while they are online, and the relay of cards."""
