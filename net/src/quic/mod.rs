//! Endpoints that know each other by their keys.
