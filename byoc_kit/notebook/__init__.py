"""Reading notebooks: cells, findings, the nbconvert exporter. Nothing here runs a notebook's code."""
