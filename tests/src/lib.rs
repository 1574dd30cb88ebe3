//! End-to-end tests: the whole API over HTTP, told as stories.
