"""What is looked for in the tagged cells: one module a subject, with its rules and the checks that yield them."""
