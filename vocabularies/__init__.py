"""The vocabularies of Qwen, DeepSeek and Kimi. tokenbook finds this package by itself; there is nothing to import."""
