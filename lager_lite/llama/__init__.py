"""The only package that touches ctypes: llama.cpp as installed by llama-cpp-python."""
