//! Accepts WebSocket upgrades and carries their bytes to private TCP services.
