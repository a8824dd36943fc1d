"""What is looked for in the tagged cells: one module a subject, each finding made where its subject is known."""
