.DEFAULT_GOAL := help
BIN := .venv/bin
