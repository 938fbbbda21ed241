"""A language model on this machine: which weights there are, how they are fetched, and the server that answers.

The server speaks the OpenAI protocol, so the product reaches it as any other model, through litellm. Nothing here is
needed for, or imported by, a deployment that uses a hosted model or none.
"""
