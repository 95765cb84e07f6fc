"""The only code that calls a language model. Every answer is paid for once."""
