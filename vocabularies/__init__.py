"""The vocabularies of Qwen, DeepSeek, Kimi and Mistral. tokenbook finds this package by itself; there is nothing to
import.
"""
