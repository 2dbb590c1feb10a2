"""The stream: its port, its two engines, the codec, and the runner that drives a consumer."""
