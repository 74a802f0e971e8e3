"""The wire of version 1: messages, their two spellings, and the connection that carries them.

Nothing here knows what a workflow is. The reference is protocol/SPEC.md; the golden vectors of
protocol/vectors are read by the tests.
"""
