"""RealtimeService: gift cards, their locks and their ledger, true at headquarters."""
