"""Assets that lie elsewhere, at a URL or on the Hugging Face Hub: their names, their lock, and how they are fetched."""
