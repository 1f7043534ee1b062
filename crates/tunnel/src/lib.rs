//! One TCP stream inside one WebSocket.
